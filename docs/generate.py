"""Writes the parts of the documentation that the code knows best; a test compares them with the code.

    python docs/generate.py [--check]

Writes openapi.json, api.md (routes, scopes, error codes), settings.md and rules.md beside this file, and the
table of routes and roles within access.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from hefesto_api import settings
from hefesto_api.analyzers import catalogue
from hefesto_api.app import create_app, openapi_document
from hefesto_api.domain.access import ROLES
from hefesto_api.web.envelope import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
ERRORS = {
    "MALFORMED_REQUEST": "The request cannot be read: not JSON, bad query syntax, NUL bytes, too deep.",
    "INVALID_FILE_PATH": "`details.path`, `details.reason`: file_not_found, outside_roots, not_readable, "
    "not_a_regular_file, too_large.",
    "AUTHENTICATION_REQUIRED": "No credentials, or bad ones.",
    "INVALID_SIGNATURE": "A signature is wrong, stale or was used before.",
    "INSUFFICIENT_PERMISSIONS": "A scope is missing (`details.required_scope`), or open mode refuses it.",
    "RESOURCE_NOT_FOUND": "`details.resource_type`, `details.resource_id`.",
    "METHOD_NOT_ALLOWED": "`details.allowed` lists the methods of the route.",
    "NOT_ACCEPTABLE": "The answer exists in none of the accepted forms.",
    "UNSUPPORTED_MEDIA_TYPE": "The body is of a type that the route does not take.",
    "CONFLICT": "The state does not allow it, it exists already, or the same request is still running.",
    "PRECONDITION_FAILED": "`If-Match` does not hold: somebody else was faster.",
    "PAYLOAD_TOO_LARGE": "The body is larger than the limit, counted after decompression.",
    "VALIDATION_ERROR": "`details.errors` is a list of `{field, message, type}`; `field` is a dotted path.",
    "RATE_LIMIT_EXCEEDED": "`details.retry_after`, and the header `Retry-After`.",
    "ANALYSIS_FAILED": "The analysis could not be carried out; `details.request_id`.",
    "CORRELATION_FAILED": "The correlation could not be carried out; `details.request_id`.",
    "INTERNAL_ERROR": "A fault of ours; `details.request_id` finds it in the log.",
    "ANALYZER_UNAVAILABLE": "A tool that the analysis needs is not installed; `details.service`.",
    "STORAGE_ERROR": "The database did not do what it was asked; `details.reason`.",
    "SERVICE_UNAVAILABLE": "A part of the service cannot take this now; `details.service`.",
}


def main() -> int:
    """Write the files, or with --check tell which of them are out of date."""
    stale = []
    for name, text in rendered().items():
        path = FOLDER / name
        if path.exists() and path.read_bytes() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_bytes(text)
    sys.stdout.write("".join(f"{name}\n" for name in stale))
    return 1 if stale and "--check" in sys.argv else 0


def rendered() -> dict[str, bytes]:
    """Return the generated files by name."""
    app = create_app(settings.load({"HEFESTO_ENV": "development"}, FOLDER))
    document = openapi_document(app)
    return {
        "openapi.json": document,
        "api.md": _api(orjson.loads(document)).encode(),
        "settings.md": _settings().encode(),
        "rules.md": _rules().encode(),
        "access.md": _access(orjson.loads(document)).encode(),
    }


def _access(document: dict[str, Any]) -> str:
    """Return the page on access with its table of routes and roles made anew."""
    page = FOLDER.joinpath("access.md").read_text("utf-8")
    before, begin, rest = page.partition("<!-- routes: generated -->\n")
    _, end, after = rest.partition("<!-- end -->")
    rows = [
        f"| `{method} {path}` | {_asked(operation)} | " + " | ".join(_marks(operation)) + " |"
        for method, path, operation in _operations(document)
    ]
    head = ["| route | scope | " + " | ".join(ROLES) + " |", "|---|---|" + "---|" * len(ROLES)]
    return before + begin + "\n" + "\n".join([*head, *rows]) + "\n\n" + end + after


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield method.upper(), path, operation


def _asked(operation: dict[str, Any]) -> str:
    return _scope(operation) or ("any" if operation.get("security") else "")


def _marks(operation: dict[str, Any]) -> list[str]:
    """Return for each role whether it may call a route."""
    scope = operation.get("x-required-scope")
    return ["✓" if not scope or scope in held or "admin" in held else "" for held in ROLES.values()]


def _api(document: dict[str, Any]) -> str:
    rows = [
        f"| `{method} {path}` | {operation.get('summary', '')} | {_asked(operation)} |"
        for method, path, operation in _operations(document)
    ]
    errors = [f"| {code} | {status} | {ERRORS[code]} |" for code, status in STATUS.items()]
    return "\n".join(
        [
            *("# The HTTP API", ""),
            "Generated from the code. The service itself shows all of it, with schemas and examples, at",
            "`/docs` (Swagger UI) and `/redoc`; `openapi.json` is the document behind both.",
            *("", "## Routes", "", "| route | what it does | scope |", "|---|---|---|", *rows),
            *("", "## Errors", ""),
            "Every error is `{success: false, data: null, error: {code, message, details}, timestamp}`, or",
            "RFC 9457 problem details for a client that sends `Accept: application/problem+json`.",
            *("", "| code | status | what it tells |", "|---|---|---|", *errors, ""),
        ]
    )


def _scope(operation: dict[str, Any]) -> str:
    scope = operation.get("x-required-scope")
    return f"`{scope}`" if scope else ""


def _settings() -> str:
    rows = [
        f"| {_names(row['name'])} | {row['default'] or '–'} | {row['values']} | {row['about']} |"
        for row in settings.documentation()
    ]
    return "\n".join(
        [
            *("# Settings", ""),
            "Generated from the code. Settings come from the environment, then from a `.env` file in the",
            "working directory. A wrong value stops the start and says what would be right; an unknown",
            "`HEFESTO_` name is warned of, with the nearest known one.",
            *("", "| name | default | values | what for |", "|---|---|---|---|", *rows, ""),
        ]
    )


def _names(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def _rules() -> str:
    lines = [
        *("# Rules", ""),
        "Generated from the catalogue. `hefesto explain RULE` says why a rule is there, with an example of",
        "what it reports and of what to write instead.",
        "",
        "Where code stands counts: in tests some rules say nothing, and security weighs one severity less;",
        "of code kept from elsewhere (`third_party`, `_vendor`, `vendor` for JavaScript and Go and such)",
        "security alone is reported; what a program wrote or minified is judged for neither complexity nor",
        "smells. The functions of all of it are known.",
    ]
    for group in ("security", "complexity", "code_smells", "best_practices"):
        of_group = sorted(
            (one for one in catalogue.RULES.values() if one.analyzer == group), key=lambda one: one.id
        )
        lines += [
            "",
            f"## {group} ({len(of_group)})",
            "",
            "| rule | severity | what | CWE |",
            "|---|---|---|---|",
        ]
        for one in of_group:
            weaknesses = ", ".join(str(number) for number in one.cwe)
            title = one.title.replace("|", "\\|")
            lines.append(f"| `{one.id}` | {one.severity} | {title} | {weaknesses} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
