"""The wire forms of the audit log."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.audit import OUTCOMES
from hefesto_api.features.audit.service import FIELDS, FORMATS
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_LONGEST = 300


class AuditLogSchema(Schema):
    """What was done, refused or tried in vain, by whom, through which request.

    `changes` are `{field: {from, to}}` where the service knows both; secrets stand in it as `***`.
    """

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    user_id = basic.String(
        required=True,
        metadata={"description": "A user's, key's or client's id; anonymous, system or cli:<account>."},
    )
    user_name = basic.String(required=True)
    credential = basic.String(
        required=True, metadata={"description": "The key, session or client that was shown."}
    )
    action = basic.String(
        required=True, metadata={"description": "noun.past_participle, as `finding.updated`."}
    )
    resource_type = basic.String(required=True)
    resource_id = basic.String(required=True, allow_none=True)
    project = basic.String(required=True, allow_none=True)
    outcome = basic.String(required=True, validate=ma.validate.OneOf(OUTCOMES))
    changes = basic.Dict(required=True, keys=basic.String())
    ip_address = basic.String(required=True, allow_none=True)
    user_agent = basic.String(required=True, allow_none=True)
    request_id = basic.String(required=True, allow_none=True)


class _Filters(Schema):
    """Which entries are wanted."""

    user_id = fields.text(_LONGEST)
    action = fields.text(_LONGEST)
    resource_type = fields.text(_LONGEST)
    resource_id = fields.text(_LONGEST)
    project = fields.text(_LONGEST)
    ip_address = fields.text(_LONGEST)
    request_id = fields.text(_LONGEST)
    outcome = fields.Choice(OUTCOMES)
    q = fields.text(
        _LONGEST,
        least=1,
        metadata={"description": "A part of the action, the changes, the resource or the user."},
    )
    start_date = fields.Moment(metadata={"description": "The first `timestamp`, inclusive."})
    end_date = fields.Moment(end=True, metadata={"description": "The last `timestamp`, inclusive."})


class AuditLogsQuery(PageQuery, _Filters):
    """The list's parameters; the newest comes first."""

    SORTS = ("timestamp",)
    FIELDS = FIELDS


class AuditExportQuery(_Filters):
    """The export's parameters; the oldest comes first."""

    format = fields.Choice(FORMATS, load_default="jsonl")


class VerifyQuery(Schema):
    """What to verify against."""

    seal = basic.String(
        validate=ma.validate.Regexp(r"^[0-9]{1,18}:[0-9a-f]{64}$(?!\n)", error="A seal is number:hash."),
        metadata={"description": "A seal that was noted elsewhere: nothing before it may be missing."},
    )


class ChainVerdictSchema(Schema):
    """What a look at every entry found; `first_bad` is an id, or a place where an entry is missing."""

    valid = basic.Boolean(required=True)
    checked = basic.Integer(required=True)
    first_bad = basic.String(required=True, allow_none=True)
    reason = basic.String(required=True, allow_none=True)
    seal = basic.String(
        required=True, allow_none=True, metadata={"description": "The newest seal: note it elsewhere."}
    )


AuditLogListSchema = list_schema("AuditLogList", AuditLogSchema, plural="audit_logs")
