"""The wire forms of code context."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Severity
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

KINDS = ("added", "modified", "renamed", "merged", "unknown")


class CodeContextQuery(Schema):
    """A place of the code."""

    file_path = fields.text(
        4096,
        least=1,
        required=True,
        metadata={"description": "The project's, or one of the machine that ran it."},
    )
    line_number = fields.QueryInteger(
        validate=ma.validate.Range(min=1), metadata={"description": "From 1; without it, the whole file."}
    )
    commit_hash = fields.text(
        250, metadata={"description": "A commit, tag or branch; without it, what lies in the tree."}
    )
    project = fields.text(200)


class ComplexitySchema(Schema):
    """McCabe's number and its grade, and cognitive complexity; of a file, those of its worst function."""

    score = basic.Integer(required=True)
    grade = basic.String(required=True, validate=ma.validate.OneOf(["A", "B", "C", "D", "F"]))
    details = basic.String(required=True)
    cognitive = basic.Integer(required=True)


class ContextFindingSchema(Schema):
    """An open finding; its line is where the latest analysis saw it."""

    id = basic.UUID(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf([one.value for one in Severity]))
    type = basic.String(required=True)
    rule_id = basic.String(required=True)
    line = basic.Integer(required=True)
    description = basic.String(required=True)


class RecentChangesSchema(Schema):
    """The latest commit that changed these lines."""

    last_modified = basic.DateTime(required=True)
    commit_hash = basic.String(required=True)
    author = basic.String(required=True)
    commit_message = basic.String(required=True)


class LineChangeSchema(Schema):
    """A commit that changed these lines, with where they stood right after it.

    `kind` is `unknown` for a change that was too large to look into: what came before is not known.
    """

    commit_hash = basic.String(required=True)
    author = basic.String(required=True)
    timestamp = basic.DateTime(required=True)
    commit_message = basic.String(required=True)
    file_path = basic.String(required=True)
    start_line = basic.Integer(required=True)
    end_line = basic.Integer(required=True)
    kind = basic.String(required=True, validate=ma.validate.OneOf(KINDS))


class CodeContextSchema(Schema):
    """What stands at a place. Of one that is unknown, `found` is false and every name null.

    `function_name` is qualified within its file (`Cart.total`). `code_snippet` is null where the text is
    not at hand; secrets in it are masked. `change_history` has the newest first.
    """

    found = basic.Boolean(required=True)
    file_path = basic.String(required=True)
    line_number = basic.Integer(required=True, allow_none=True)
    commit_hash = basic.String(required=True, allow_none=True)
    function_name = basic.String(required=True, allow_none=True)
    class_name = basic.String(required=True, allow_none=True)
    start_line = basic.Integer(required=True, allow_none=True)
    end_line = basic.Integer(required=True, allow_none=True)
    code_snippet = basic.String(required=True, allow_none=True)
    snippet_start_line = basic.Integer(required=True, allow_none=True)
    complexity = basic.Nested(ComplexitySchema, required=True)
    security_findings = basic.List(basic.Nested(ContextFindingSchema), required=True)
    code_smells = basic.List(basic.Nested(ContextFindingSchema), required=True)
    best_practices_violations = basic.List(basic.Nested(ContextFindingSchema), required=True)
    recent_changes = basic.Nested(RecentChangesSchema, required=True, allow_none=True)
    change_history = basic.List(basic.Nested(LineChangeSchema), required=True)
    risk_score = basic.Float(required=True, validate=ma.validate.Range(0, 1))
    risk_factors = basic.List(basic.String(), required=True)
