"""The wire form of a finding's identity."""

from __future__ import annotations

from marshmallow import fields as basic

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
    """How a finding came to be, or was known again where something about it had changed."""

    timestamp = basic.DateTime(required=True)
    action = basic.String(required=True)
    evidence = basic.String(required=True, allow_none=True)
    from_line = basic.Integer(required=True, allow_none=True)
    to_line = basic.Integer(required=True, allow_none=True)
    details = basic.String(required=True)


class IdentitySchema(Schema):
    """What a finding is known by, and its story."""

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
    story = basic.List(basic.Nested(IdentityEventSchema), required=True)
