"""What schemathesis calls while it fuzzes: the document made strict, and our rules that no schema tells."""

from __future__ import annotations

import json
import re
from typing import Any

import schemathesis

from benchmarks.fuzz_report import REPORT

KEY = re.compile(r"[\x21-\x7e]{1,255}")
UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# Data that fit the schema and are refused all the same, for a rule that the document cannot tell.
# What is refused wherever a value of that name stands:
FIELDS = {
    "Idempotency-Key",  # belongs to the body that it was first sent with
    *("cursor", "fields"),  # a cursor is one that the service wrote; fields are names that there are
    *("analyzer", "severity", "status", "cwe"),  # words of a list, separated by commas
    *("since", "start_date", "end_date", "ignored_until"),  # days and instants that exist
}
# What one operation refuses, as (code, field):
REFUSALS = {
    "POST /api/v1/analyze": {
        ("INVALID_FILE_PATH", ""),  # the path must exist beneath a root
        ("VALIDATION_ERROR", "files"),  # names that stay in their folder
        ("VALIDATION_ERROR", "diff_base"),  # a commit of the repository that holds the path
        ("VALIDATION_ERROR", "file"),  # the form brings one archive
        ("VALIDATION_ERROR", "analyzers"),  # the form's lists are words separated by commas
        ("VALIDATION_ERROR", "exclude_patterns"),
        ("VALIDATION_ERROR", "project"),
        ("VALIDATION_ERROR", "commit_hash"),
        ("VALIDATION_ERROR", "branch"),
        ("VALIDATION_ERROR", "async"),
        ("VALIDATION_ERROR", "(repeated)"),
        ("MALFORMED_REQUEST", ""),  # what is uploaded is an archive
    },
    "PATCH /api/v1/findings": {
        ("VALIDATION_ERROR", "filter"),  # one that names something, in words as the list's parameters
    },
    "POST /api/v1/findings/import": {
        ("VALIDATION_ERROR", "*"),  # SARIF, by its own schema
        ("MALFORMED_REQUEST", ""),  # or gzip of it
    },
    "POST /api/v1/projects": {
        ("INVALID_FILE_PATH", ""),  # the root must exist beneath a root
        ("VALIDATION_ERROR", "repository_url"),  # the forms of addresses that git takes
    },
    "PATCH /api/v1/projects/{slug}": {
        ("INVALID_FILE_PATH", ""),
        ("VALIDATION_ERROR", "repository_url"),
    },
}
# Schemas with several properties of which exactly one must be there, which marshmallow has no words for.
EITHER = {"Analyze": ("path", "files"), "BulkTriage": ("ids", "filter")}
# A path may be called `import`, and what is found there be read.
OF_PATH = {"POST /api/v1/findings/import": {"AllowHeaderMismatch", "UnsupportedMethodResponse"}}
# What is no UUID is a path, whose findings another operation lists.
OF_ID = {"GET /api/v1/findings/{finding_id}", "PATCH /api/v1/findings/{finding_id}"}


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Leave `default` out of the answers that are told of: with it, no status would be one too many."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.get("responses", {}).pop("default", None)
    schemas = raw_schema["components"]["schemas"]
    for name, choice in EITHER.items():
        if name in schemas:
            schemas[name] = {"anyOf": [variant(schemas[name], choice, one) for one in choice]}
    report = raw_schema["paths"].get("/api/v1/findings/import", {}).get("post")
    if report:
        report["requestBody"]["content"]["application/json"]["example"] = REPORT


def variant(schema: dict[str, Any], choice: tuple[str, ...], chosen: str) -> dict[str, Any]:
    """Return a schema with one of several properties, required, and without the others."""
    properties = {name: one for name, one in schema["properties"].items() if name not in {*choice} - {chosen}}
    one = {**properties[chosen], "nullable": False}
    if "anyOf" in one:  # so a part is written that may be null
        one["anyOf"] = [part for part in one["anyOf"] if not part.get("nullable")]
    properties[chosen] = one
    return {**schema, "properties": properties, "required": [*schema.get("required", ()), chosen]}


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Make projects anew: for a key of before comes the answer of before, though it was deleted since."""
    key = (case.headers or {}).get("Idempotency-Key")
    if case.operation.label == "POST /api/v1/projects" and isinstance(key, str) and KEY.fullmatch(key):
        del case.headers["Idempotency-Key"]


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop the refusal of data that break a rule which the document cannot tell; keep all else."""
    if case.operation.label in OF_ID and not is_uuid((case.path_parameters or {}).get("finding_id")):
        return False
    kind = type(failure).__name__
    if kind == "AcceptedNegativeData" and is_form_with_gaps(case):
        return False
    if kind in OF_PATH.get(case.operation.label, ()):
        return False
    if kind != "RejectedPositiveData":
        return True
    told = refusals(response.content)
    known = REFUSALS.get(case.operation.label, set())
    if told == {("MALFORMED_REQUEST", "")} and breaks_rules([case.body, case.query, case.path_parameters]):
        return False
    return not told or not all({one, (one[0], "*")} & known or one[1] in FIELDS for one in told)


def is_form_with_gaps(case: Any) -> bool:
    """Tell whether a form has a field that was not filled in: it is taken for one that is not there."""
    fields = case.body.values() if isinstance(case.body, dict) else ()
    return case.media_type == "multipart/form-data" and any(value in ("", b"") for value in fields)


def is_uuid(value: Any) -> bool:
    """Tell whether a value is written as the ids of findings are."""
    return isinstance(value, str) and re.fullmatch(UUID, value) is not None


def refusals(content: bytes) -> set[tuple[str, str]]:
    """Return what an error complains of, as (code, field)."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return set()
    errors = error["details"].get("errors", ())
    # A form's field may stand in it once; its name is anything.
    names = {"(repeated)" if one["type"] == "repeated" else top(one["field"]) for one in errors}
    return {(error["code"], name) for name in names or {""}}


def top(field: str) -> str:
    """Return the first part of a dotted path."""
    return re.split(r"[.\[]", field)[0]


def breaks_rules(value: Any, depth: int = 0) -> bool:
    """Tell whether a value holds what no call may: NUL, a lone surrogate, more than 64 bits, depth."""
    if isinstance(value, dict):
        pairs = [*value, *value.values()]
        return depth > 60 or any(breaks_rules(one, depth + 1) for one in pairs)
    if isinstance(value, list):
        return depth > 60 or any(breaks_rules(one, depth + 1) for one in value)
    if isinstance(value, str):
        return "\0" in value or any(0xD800 <= ord(sign) < 0xE000 for sign in value)
    return isinstance(value, int | float) and not -(2**63) <= value < 2**63
