"""The service with one route more, which answers what it keeps: the cheapest GET that there can be."""

from __future__ import annotations

from typing import Any

from hefesto_api.app import create_app
from hefesto_api.features.health import routes as health
from hefesto_api.settings import from_process
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import require

blp = Blueprint("cached", url_prefix="/api/v1/cached", description="For measuring.")
_KEPT = to_json([{"id": number, "name": f"item {number}"} for number in range(10)])


@blp.route("", methods=["GET"])
@require("read:config")
@blp.response(200, {"type": "array"})
def kept() -> Any:
    """Answer what is kept."""
    return success(_KEPT)


class _Feature:
    """What `create_app` takes."""

    blp = blp


app = create_app(from_process(), features=(health, _Feature()))
