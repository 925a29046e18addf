"""The wire form of a finding's identity."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema


class FingerprintsSchema(Schema):
    """Hashes, each with the rule in it; null where it would prove nothing for this finding."""

    exact = basic.String(required=True, allow_none=True)
    context = basic.String(required=True, allow_none=True)
    symbol = basic.String(required=True, allow_none=True)
    text = basic.String(required=True, allow_none=True)
    before = basic.String(required=True, allow_none=True)
    after = basic.String(required=True, allow_none=True)


class IdentityEventSchema(Schema):
    """How a finding came to be, or was known again where something about it had changed.

    `event` is its number: what the finding was taken for at one that is `recognized` can be parted from it.
    """

    event = basic.Integer(required=True)
    timestamp = basic.DateTime(required=True)
    action = basic.String(required=True)
    evidence = basic.String(required=True, allow_none=True)
    from_line = basic.Integer(required=True, allow_none=True)
    to_line = basic.Integer(required=True, allow_none=True)
    details = basic.String(required=True)


class MergedFindingSchema(Schema):
    """A finding that was merged into this one; `place` says whether both places were seen last time.

    `own`: only this one's; `both`; `taken`: this one has taken the other's.
    """

    id = basic.UUID(required=True)
    place = basic.String(required=True, validate=ma.validate.OneOf(("own", "both", "taken")))
    timestamp = basic.DateTime(required=True)
    user = basic.String(required=True, allow_none=True)


class PartedFindingSchema(Schema):
    """A finding that is never this one, as a person said."""

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    user = basic.String(required=True, allow_none=True)


class IdentitySchema(Schema):
    """What a finding is known by, what people said about it, and its story."""

    id = basic.UUID(required=True)
    algorithm_version = basic.Integer(required=True)
    fingerprint = basic.String(required=True)
    rule_id = basic.String(required=True)
    file_path = basic.String(required=True)
    line = basic.Integer(required=True)
    function_name = basic.String(required=True, allow_none=True)
    line_text = basic.String(required=True)
    fingerprints = basic.Nested(FingerprintsSchema, required=True)
    occurrence_count = basic.Integer(required=True)
    merged_into = basic.UUID(required=True, allow_none=True)
    merged = basic.List(basic.Nested(MergedFindingSchema), required=True)
    parted_from = basic.List(basic.Nested(PartedFindingSchema), required=True)
    story = basic.List(basic.Nested(IdentityEventSchema), required=True)


class MergeSchema(Schema):
    """Into which finding to merge one, and why."""

    into = basic.UUID(required=True)
    comment = fields.text(1000)


class SplitSchema(Schema):
    """What to part from a finding: one that was merged into it, or what it was taken for at an event."""

    finding = basic.UUID(metadata={"description": "One that was merged into it."})
    event = basic.Integer(
        validate=ma.validate.Range(1, 2**63 - 1),
        metadata={"description": "Of its identity's story, one that is `recognized`; default: the last."},
    )
    comment = fields.text(1000)

    @ma.validates_schema
    def check_choice(self, data: dict[str, Any], **_: Any) -> None:
        """Only one thing is parted at a time."""
        if "finding" in data and "event" in data:
            raise ma.ValidationError("Give either finding or event.", "event")


class PartedSchema(Schema):
    """The finding that stands for itself from now on."""

    id = basic.UUID(required=True)
    status = basic.String(required=True)
    line = basic.Integer(required=True)


class SplitOffSchema(Schema):
    """The finding that keeps its id, and what was parted from it."""

    id = basic.UUID(required=True)
    status = basic.String(required=True)
    parted = basic.Nested(PartedSchema, required=True)
    updated_at = basic.DateTime(required=True)
    updated_by = basic.String(required=True, allow_none=True)
