"""The routes of the live feed."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Blueprint as PlainBlueprint
from flask import g

from hefesto_api.features.live import schemas
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.live import opening
from hefesto_api.web.live.messages import SCOPE
from hefesto_api.web.scopes import principal, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    View = Callable[..., Any]

blp = Blueprint("live", url_prefix="/api/v1", description="What happens, told as it happens.")
sockets = PlainBlueprint("live_sockets", __name__)
_TEXT = {"type": "string"}


def by_address(view: View) -> View:
    """Let callers show their credential in the address too: an EventSource can set no header."""

    @wraps(view)
    def shown(*args: Any, **kwargs: Any) -> Any:
        found = opening.shown_in_address()
        g.live_holder = None if found is None else found[0]
        if found is not None:
            g.principal = found[1]
        return view(*args, **kwargs)

    return shown


@blp.route("/events/stream", methods=["GET"])
@by_address
@require(SCOPE)
@blp.arguments(schemas.LiveQuery, location="query")
@blp.alt_response(
    200, schema=_TEXT, content_type="text/event-stream", description="Messages without end.", success=True
)
def stream_events(query: dict[str, Any]) -> Response:
    """Listen by Server-Sent Events: a snapshot first, then what happens.

    `Last-Event-ID` (or `last_event_id`) goes on where a former connection ended. Of what happens a listener
    hears what his scopes let him read.
    """
    holder = g.live_holder or opening.shown_in_header()
    return opening.open_stream(principal(), holder, query.get("project"))


@blp.route("/ws/dashboard", methods=["GET"])
@blp.arguments(schemas.LiveQuery, location="query")
@blp.alt_response(101, description="The connection speaks WebSocket from here on.", success=True)
@blp.alt_response(426, description="This was no WebSocket handshake.")
def open_dashboard_socket(_query: dict[str, Any]) -> Response:
    """Listen by WebSocket: a snapshot first, then what happens.

    The credential stands in the address, in the header, among the subprotocols or in the first message.
    One that is not good closes the socket with 4401.
    """
    return open_socket()


def open_socket() -> Response:
    """Listen by WebSocket; werkzeug keeps such addresses apart from those of other requests."""
    return opening.open_socket()


for address in ("/api/v1/ws/dashboard", "/ws/dashboard"):
    sockets.add_url_rule(address, view_func=open_socket, websocket=True)
sockets.add_url_rule("/ws/dashboard", "no_socket", open_socket, methods=["GET"])
