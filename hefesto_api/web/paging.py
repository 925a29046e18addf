"""Reading how much of a list is wanted, from where, in which order and with which fields."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, ClassVar

import marshmallow as ma
import orjson
from marshmallow import fields as basic
from msgspec import Struct

from hefesto_api.domain.errors import Invalid
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT_LIMIT = 50
MOST_LIMIT = 1000
_RAW = ("limit", "offset", "cursor", "sort", "picked")


class Page(Struct, frozen=True):
    """The part of a list that is wanted; `cursor` holds the key after which it starts."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: tuple[Any, ...] | None = None
    sort: str | None = None
    descending: bool = False
    fields: tuple[str, ...] | None = None


class PageQuery(Schema):
    """A list's parameters; subclasses add filters, and name what may be sorted by and picked.

    The loaded query holds a `Page` under "page", beside the filters.
    """

    SORTS: ClassVar[tuple[str, ...]] = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()

    limit = fields.QueryInteger(load_default=DEFAULT_LIMIT, validate=ma.validate.Range(1, MOST_LIMIT))
    offset = fields.QueryInteger(load_default=0, validate=ma.validate.Range(0, fields.MOST))
    cursor = basic.String(
        metadata={"description": "The `next_cursor` of the page before; instead of `offset`."}
    )
    sort = basic.String(metadata={"description": "A field to sort by; `-` before it for descending."})
    picked = fields.Words(data_key="fields", metadata={"description": "Keep only these fields of each item."})

    def __init__(self, *, exclude: Collection[str] = (), **options: Any) -> None:
        # A list of one order takes no `sort`.
        super().__init__(exclude={*exclude, *(() if self.SORTS else ("sort",))}, **options)

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tell by what may be sorted."""
        if field_name == "sort":
            sorts = [*self.SORTS, *(f"-{name}" for name in self.SORTS)]
            field_obj.metadata = {**field_obj.metadata, "enum": sorts}

    @ma.validates_schema
    def check_names(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse fields that the items do not have."""
        if "sort" in data and data["sort"].removeprefix("-") not in self.SORTS:
            raise ma.ValidationError(f"Sort by one of: {', '.join(self.SORTS) or 'nothing'}.", "sort")
        strange = [name for name in data.get("picked", ()) if self.FIELDS and name not in self.FIELDS]
        if strange:
            known = ", ".join(self.FIELDS)
            raise ma.ValidationError(f"Unknown: {', '.join(strange)}; known: {known}.", "fields")

    @ma.post_load
    def make_page(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Gather what belongs to the page."""
        raw = {name: data.pop(name) for name in _RAW if name in data}
        sort = raw.get("sort")
        page = Page(
            limit=raw["limit"],
            offset=raw["offset"],
            cursor=decode_cursor(raw["cursor"]) if "cursor" in raw else None,
            sort=sort and sort.removeprefix("-"),
            descending=bool(sort and sort.startswith("-")),
            fields=raw.get("picked"),
        )
        return {**data, "page": page}


class PaginationSchema(Schema):
    """Where a page stands in its list."""

    limit = basic.Integer(required=True)
    offset = basic.Integer(required=True)
    has_more = basic.Boolean(required=True)
    next_offset = basic.Integer(required=True, allow_none=True)
    next_cursor = basic.String(required=True, allow_none=True)
    total_exact = basic.Boolean()


def list_schema(name: str, item: type[ma.Schema], *, plural: str) -> type[ma.Schema]:
    """Return the schema of a list: the items under their plural name, the count and the pagination.

    The items' fields are optional in it, since a client may pick some with `fields`.
    """
    members = {
        plural: basic.List(basic.Nested(item(partial=True)), required=True),
        "total_count": basic.Integer(required=True),
        "pagination": basic.Nested(PaginationSchema, required=True),
    }
    return type(f"{name}Schema", (Schema,), {"__doc__": f"A page of {plural}.", **members})


def encode_cursor(key: tuple[Any, ...]) -> str:
    """Write the key of a page's last item as an opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(key, option=orjson.OPT_UTC_Z)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[Any, ...]:
    """Read a cursor; raises Invalid for what `encode_cursor` did not write."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list) or not all(isinstance(part, str | int | float | None) for part in key):
        raise Invalid("cursor", "This is no cursor of ours.")
    return tuple(key)
