"""List answers straight from rows: written to bytes once, without a schema's dump in between.

A test holds each such answer to the schema that documents it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson
from msgspec import Struct

from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.paging import Page, encode_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Written(NamedTuple):
    """The items of a page as a JSON list, and how many these are."""

    json: bytes
    many: int


def page_answer(
    plural: str,
    items: Sequence[Any] | Written,
    page: Page,
    *,
    total_count: int,
    total_exact: bool = True,
    next_key: tuple[Any, ...] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Answer:
    """Answer one page of a list. Items are dicts, msgspec structs or written already, at most `page.limit`.

    `next_key` is the key to go on after (None: no cursor is offered); whether there is more is told by the
    count, or for a cursor by the key. `extra` are further members of `data`.
    """
    many = items.many if isinstance(items, Written) else len(items)
    data = {
        plural: orjson.Fragment(_items_json(items, page.fields)),
        "total_count": total_count,
        "pagination": _pagination(page, many, total_count, total_exact, next_key),
        **(extra or {}),
    }
    return success(to_json(data), headers={"X-Total-Count": str(total_count)})


def _items_json(items: Sequence[Any] | Written, fields: tuple[str, ...] | None) -> bytes:
    if isinstance(items, Written):
        if fields is None:
            return items.json
        items = orjson.loads(items.json)
    if fields is not None:
        return to_json([_picked(item, fields) for item in items])
    if items and isinstance(items[0], Struct):
        return msgspec.json.encode(items)
    return to_json(items)


def _picked(item: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in fields if (value := _get(item, name)) is not _ABSENT}


def _get(item: Any, name: str) -> Any:
    return item.get(name, _ABSENT) if isinstance(item, dict) else getattr(item, name, _ABSENT)


_ABSENT = object()


def _pagination(
    page: Page, count: int, total: int, exact: bool, next_key: tuple[Any, ...] | None
) -> dict[str, Any]:
    by_cursor = page.cursor is not None
    reached = page.offset + count
    more = next_key is not None if by_cursor else count == page.limit and (reached < total or not exact)
    pagination = {
        "limit": page.limit,
        "offset": page.offset,
        "has_more": more,
        "next_offset": reached if more and not by_cursor else None,
        "next_cursor": encode_cursor(next_key) if more and next_key is not None else None,
    }
    return pagination if exact else {**pagination, "total_exact": False}
