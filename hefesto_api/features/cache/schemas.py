"""The wire forms of the cache."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.features.cache.targets import TARGETS
from hefesto_api.storage.generations import KINDS
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

_MOST = 100
_LONGEST = 2048
_ANSWERS = ("healthy", "degraded", "disabled")


class LocalTierSchema(Schema):
    """What the process that answers keeps; each worker process has a cache of its own."""

    size = basic.Integer(required=True)
    max_size = basic.Integer(required=True)
    bytes = basic.Integer(required=True)
    hits = basic.Integer(required=True)
    misses = basic.Integer(required=True)
    hit_rate = basic.Float(required=True, allow_none=True)
    evictions = basic.Integer(required=True)
    ttl_seconds = basic.Float(required=True)


class SharedTierSchema(Schema):
    """What Redis was asked for by the process that answers."""

    connected = basic.Boolean(required=True)
    hits = basic.Integer(required=True)
    misses = basic.Integer(required=True)
    errors = basic.Integer(required=True)
    hit_rate = basic.Float(required=True, allow_none=True)


class CacheStatsSchema(Schema):
    """How the cache does, in the process that answers; `/metrics` has the sum of all."""

    l1 = basic.Nested(LocalTierSchema, required=True)
    l2 = basic.Nested(SharedTierSchema, required=True, allow_none=True)
    hit_rate = basic.Float(
        required=True, allow_none=True, metadata={"description": "Of what was asked for; null for nothing."}
    )
    made = basic.Integer(metadata={"description": "Answers that had to be made."})
    waited = basic.Integer(metadata={"description": "Requests that waited for another's answer."})
    from_other_processes = basic.Integer(
        metadata={"description": "Answers that another process of this host had made."}
    )
    process = basic.Integer()


class CacheHealthSchema(Schema):
    """Whether answers are kept, and whether Redis answers."""

    status = basic.String(required=True, validate=ma.validate.OneOf(_ANSWERS))
    l1 = basic.Dict(required=True)
    l2 = basic.Dict(required=True, allow_none=True)


class WarmSchema(Schema):
    """What to make ready; without targets all."""

    MAY_BE_ABSENT = True
    targets = basic.List(fields.Choice(TARGETS), load_default=list, validate=ma.validate.Length(max=_MOST))


class WarmedSchema(Schema):
    """What was made ready, in the process that answers and, where there is one, in Redis."""

    warmed = basic.List(basic.String(), required=True)
    duration_ms = basic.Float(required=True)


class InvalidateSchema(Schema):
    """What to forget: one of these. Tags are kinds of data, or a kind of one project (`findings:shop`)."""

    keys = basic.List(fields.text(_LONGEST, least=1), validate=ma.validate.Length(1, _MOST))
    pattern = fields.text(_LONGEST, least=1, metadata={"description": "Of addresses, with `*` and `?`."})
    tags = basic.List(
        fields.text(200, least=1),
        validate=ma.validate.Length(1, _MOST),
        metadata={"description": f"Of {', '.join(KINDS)}."},
    )
    all = fields.Flag()

    @ma.validates_schema
    def check_one(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse what says nothing, or several things at once."""
        if sum(bool(value) for value in data.values()) != 1:
            raise ma.ValidationError("Give one of keys, pattern, tags and all.", "keys")
        strange = [tag for tag in data.get("tags", ()) if tag.partition(":")[0] not in KINDS]
        if strange:
            raise ma.ValidationError(f"Unknown: {', '.join(strange)}; known: {', '.join(KINDS)}.", "tags")


class InvalidatedSchema(Schema):
    """How many entries of the answering process, and of Redis, are not good any more."""

    invalidated = basic.Integer(required=True)
