"""A feature as they are written, for tests of what every feature shares."""

from __future__ import annotations

from typing import Any

from flask import request
from hefesto_api.domain.errors import Conflict
from hefesto_api.web import conditional, fields, uploads
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.envelope import Answer
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.rows import page_answer
from hefesto_api.web.schemas import Schema
from hefesto_api.web.scopes import require
from marshmallow import fields as basic

blp = Blueprint("sample", url_prefix="/api/v1/sample", description="For tests.")
ITEMS: list[dict[str, Any]] = [
    {"id": number, "name": f"item {number}", "size": number * 10} for number in range(7)
]
made: list[str] = []


class ItemSchema(Schema):
    """An item."""

    id = basic.Integer()
    name = basic.String()
    size = basic.Integer()


class ItemQuery(PageQuery):
    """The filters of items."""

    SORTS = ("size",)
    FIELDS = ("id", "name", "size")

    named = basic.List(basic.String())
    since = fields.Moment()


class NewItem(Schema):
    """What an item is made of."""

    name = fields.text(20, required=True, least=1)
    size = fields.Integer()
    ratio = fields.Number()
    urgent = fields.Flag()
    tags = basic.List(fields.text(5))
    inner = basic.Nested(ItemSchema)


@blp.route("", methods=["GET"])
@require("read:findings")
@blp.arguments(ItemQuery, location="query")
@blp.response(200, list_schema("ItemList", ItemSchema, plural="items"))
def list_items(query: dict[str, Any]) -> Any:
    """List items."""
    page = query["page"]
    items = sorted(ITEMS, key=lambda item: item["size"], reverse=page.descending)
    start = page.offset if page.cursor is None else page.cursor[0] + 1
    shown = items[start : start + page.limit]
    last = start + len(shown) - 1
    key = (last,) if last < len(items) - 1 else None
    return page_answer("items", shown, page, total_count=len(items), next_key=key)


@blp.route("/<int:item_id>", methods=["GET"])
@blp.response(200, ItemSchema)
def read_item(item_id: int) -> Any:
    """Show an item."""
    return ITEMS[item_id]


@blp.route("/<int:item_id>", methods=["PATCH"])
@require("write:findings")
@blp.arguments(NewItem)
@blp.response(200, ItemSchema)
def change_item(new: dict[str, Any], item_id: int) -> Any:
    """Change an item, in the answer alone."""
    conditional.require_match(lambda: ITEMS[item_id])
    return {**ITEMS[item_id], **new}


@blp.route("", methods=["POST"])
@idempotent
@blp.arguments(NewItem)
@blp.response(201, ItemSchema)
def make_item(new: dict[str, Any]) -> Any:
    """Make an item."""
    made.append(new["name"])
    if new["name"] == "taken":
        raise Conflict("There is one of that name.")
    if new["name"] == "broken":
        raise RuntimeError("a secret of /etc/shadow")
    return {"id": len(made), **new}, 201, {"Location": f"/api/v1/sample/{len(made)}"}


@blp.route("/upload", methods=["POST"])
@blp.response(200)
def upload() -> Any:
    """Take files."""
    with uploads.read(request) as (form, files):
        return {"form": form, "files": {name: len(file.read()) for name, file in files.items()}}


@blp.route("/text", methods=["GET"])
@blp.response(200, {"type": "string"}, content_type="text/plain")
def text() -> Any:
    """Answer text."""
    return Answer("x" * 5000, mimetype="text/plain")
