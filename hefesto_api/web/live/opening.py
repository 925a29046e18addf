"""Opening a live connection: the handshake, who asks, how many there may be, and the end of the request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Response, request
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.headers import parse_subprotocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

from hefesto_api.domain.access import ANONYMOUS
from hefesto_api.domain.errors import HefestoError, MalformedRequest
from hefesto_api.storage.tickets import Holder
from hefesto_api.web import authentication, client, gate
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import AuthenticationRequired, InsufficientPermissions, InvalidSignature
from hefesto_api.web.live import admission, channels, handover, process
from hefesto_api.web.live.channels import EventStream, WebSocket, event_number
from hefesto_api.web.live.feed import caller
from hefesto_api.web.live.messages import SCOPE, Audience
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain.access import Principal
    from hefesto_api.web.live.channels import Channel

SUBPROTOCOLS = ("hefesto", "bearer")
"""What stands beside a credential in the list of subprotocols, and is chosen."""


class UpgradeRequired(HefestoError):
    """This address speaks WebSocket alone."""

    code = "MALFORMED_REQUEST"
    status = 426
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}  # noqa: RUF012 - read alone


class CannotStayOpen(HefestoError):
    """The server that runs this application gives no connection away."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "This server cannot keep connections open; run `hefesto serve`, or gunicorn with our settings.",
            service="live",
            reason="not_supported",
        )


class TooManyConnections(HefestoError):
    """There are too many live connections, of this caller or in all."""

    code = "RATE_LIMIT_EXCEEDED"
    headers = {"Retry-After": "30"}  # noqa: RUF012 - read alone

    def __init__(self) -> None:
        super().__init__("There are too many live connections; close some.", retry_after=30)


def open_socket() -> Response:
    """Answer a WebSocket's handshake; who is not let in is told so by the code that closes the socket."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise UpgradeRequired("This address speaks WebSocket: connect to it with ws:// or wss://.")
    _refuse_foreign_pages()
    offered = _offered()
    answer = _handshake(offered)
    channel = WebSocket(project=request.args.get("project"), after=_last_heard())
    refusal = _identify(channel, request.args.get("token") or _token_among(offered))
    _hand_on(channel, refusal)
    names = ("Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol")
    return Response(status=101, headers=[(name, answer[name]) for name in names if name in answer])


def open_stream(wanted: Principal, holder: Holder, project: str | None) -> Response:
    """Answer a request for Server-Sent Events from somebody who was let in."""
    _refuse_foreign_pages()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = Response(mimetype="text/event-stream", headers=headers)
    if request.method == "HEAD":
        return answer
    channel = EventStream(project=project, after=_last_heard())
    channel.holder, channel.audience = holder, Audience(wanted, project)
    _hand_on(channel, None)
    answer.headers.pop("Content-Length", None)
    answer.response = iter(())  # what follows the head is the hub's to say
    return answer


def shown_in_address() -> tuple[Holder, Principal] | None:
    """Return whose the credential in the address is, which is what an EventSource can show; None: no such.

    Raises AuthenticationRequired, InvalidSignature.
    """
    token = request.args.get("token", "")
    if not token or "HTTP_AUTHORIZATION" in request.environ:
        return None
    return admission.holder_of(runtime(), authentication.kinds_of_tokens(), token)


def shown_in_header() -> Holder:
    """Return who has shown the credential of the header, to be asked about again while he listens."""
    credential = _bearer()
    if not credential or principal().kind == ANONYMOUS.kind:
        return admission.nobody(runtime()) or Holder(principal())
    return admission.of_proven(runtime(), principal(), credential)


def _identify(channel: WebSocket, token: str) -> tuple[int, str] | None:
    """Find out who asks, as far as it is said; return why he is not let in."""
    held = runtime()
    found: tuple[Holder, Principal] | None = None
    try:
        if token:
            found = admission.holder_of(held, authentication.kinds_of_tokens(), token)
        elif _bearer():
            if principal().kind == ANONYMOUS.kind:  # what it showed is nobody's
                authentication.authenticator().authenticate(_bearer())
            found = shown_in_header(), principal()
    except (AuthenticationRequired, InvalidSignature) as error:
        return channels.UNAUTHENTICATED, error.message
    if found is None:
        nobody = admission.nobody(held)
        found = None if nobody is None else (nobody, nobody.principal)
    if found is None:
        return None  # it is to be said in the first message
    if not found[1].has(SCOPE):
        return channels.FORBIDDEN, f"This needs the scope {SCOPE}."
    channel.holder, channel.audience = found[0], Audience(found[1], channel.project)
    return None


def _hand_on(channel: Channel, refusal: tuple[int, str] | None) -> None:
    """Have the connection held from the end of this request on.

    Raises CannotStayOpen, TooManyConnections, ServiceUnavailable.
    """
    if not handover.is_possible(request.environ):
        raise CannotStayOpen
    live = process.of_this_process()
    names = [f"address {client.client_network()}"]
    if channel.audience is not None and caller(channel.audience.principal):
        names.append(caller(channel.audience.principal))
    if not live.hub.rooms.enter(names):
        raise TooManyConnections
    channel.names = tuple(names)
    handover.offer(request.environ, partial(live.take, channel, refusal=refusal))


def _refuse_foreign_pages() -> None:
    """Refuse pages of other origins: browsers let any of them open a socket here."""
    origin = request.environ.get("HTTP_ORIGIN")
    if origin and not gate.is_ours(origin):
        raise InsufficientPermissions("Pages of other origins may not listen; see HEFESTO_CORS_ORIGINS.")


def _handshake(offered: Sequence[str]) -> Any:
    """Return the headers that accept a handshake; raises MalformedRequest for one that is none."""
    environ = request.environ
    given = {name: environ[f"HTTP_{name.upper().replace('-', '_')}"] for name in _HANDSHAKE
             if f"HTTP_{name.upper().replace('-', '_')}" in environ}  # fmt: skip
    protocol = ServerProtocol(select_subprotocol=lambda _self, _offered: _chosen(offered))
    asked = Request("/", Headers(given), method=request.method, protocol=environ["SERVER_PROTOCOL"])
    answer = protocol.accept(asked)
    if answer.status_code != 101:
        reason = (answer.body or b"").decode("utf-8", "replace").strip()
        raise MalformedRequest(reason or "This is no WebSocket handshake.")
    return answer.headers


_HANDSHAKE = (
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
)


def _offered() -> list[str]:
    try:
        return list(parse_subprotocol(request.headers.get("Sec-WebSocket-Protocol") or "hefesto"))
    except InvalidHeader as error:
        raise MalformedRequest("Sec-WebSocket-Protocol is not a list of names.") from error


def _chosen(offered: Sequence[str]) -> Any:
    """Return what is chosen of the offered subprotocols: a browser wants one of them back."""
    if "Sec-WebSocket-Protocol" not in request.headers:
        return None
    return next((one for one in offered if one in SUBPROTOCOLS), offered[0])


def _token_among(offered: Sequence[str]) -> str:
    tokens = [one for one in offered if one not in SUBPROTOCOLS]
    return tokens[-1].removeprefix("bearer.") if tokens else ""


def _last_heard() -> int | None:
    given = request.headers.get("Last-Event-ID") or request.args.get("last_event_id")
    return event_number(given)


def _bearer() -> str:
    scheme, _, credential = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
