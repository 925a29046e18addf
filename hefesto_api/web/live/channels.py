"""One connection of the live feed, without its socket's doings: what came in, and what is to go out."""

from __future__ import annotations

import codecs
import logging
from collections import deque
from typing import TYPE_CHECKING

import orjson
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hefesto_api.storage.tickets import Holder
    from hefesto_api.web.live.messages import Audience, Message

MOST_WAITING = 256 * 1024
"""Bytes that may wait for a slow reader, before it is let go."""
MOST_RECEIVED = 4096
"""Bytes of one message of a client; there is little to say."""
BURST, PER_SECOND = 20, 2.0
"""Frames that a client may send at once, and then in each second."""
NORMAL, GOING_AWAY, UNSUPPORTED, BAD_TEXT, POLICY, TRY_LATER = 1000, 1001, 1003, 1007, 1008, 1013
UNAUTHENTICATED, FORBIDDEN, TOO_MANY = 4401, 4403, 4429

_log = logging.getLogger("hefesto.websocket")
_log.setLevel(logging.ERROR)  # the library tells of each connection


class Channel:
    """A connection: who listens, what waits to be sent; subclasses know the protocol.

    `holder` is None until the client has shown who it is. `after` is the last event that it has heard before
    (None: none). `names` are what it is counted by.
    """

    def __init__(self, *, project: str | None = None, after: int | None = None) -> None:
        self.sock: socket.socket
        self.holder: Holder | None = None
        self.audience: Audience | None = None
        self.project = project
        self.after = after
        self.names: tuple[str, ...] = ()
        self.joined = False
        self.dismissed = False
        self.gone = False
        self.ending = False  # nothing is said any more but what waits
        self.lingering = False  # all is said, and the client has not closed its end yet
        self.beat_at = 0.0
        self.deadline: float | None = None
        self.stuck_since: float | None = None
        self.waiting: deque[bytes] = deque()
        self.size = 0
        self.at_boundary = True  # nothing has left in part
        self.shown: Callable[[str], None] = lambda _token: None

    def write(self, data: bytes) -> None:
        """Put bytes into the line."""
        if data:
            self.waiting.append(data)
            self.size += len(data)

    def sent(self, count: int) -> None:
        """Take note that so many bytes of the first piece have left."""
        piece = self.waiting.popleft()
        self.size -= count
        self.at_boundary = count == len(piece)
        if not self.at_boundary:
            self.waiting.appendleft(piece[count:])

    def is_behind(self) -> bool:
        """Tell whether too much waits."""
        return self.size > MOST_WAITING

    def forget_waiting(self) -> None:
        """Drop what waits, but for the rest of a piece that left in part."""
        rest = None if self.at_boundary or not self.waiting else self.waiting[0]
        self.waiting.clear()
        self.size = 0
        if rest is not None:
            self.write(rest)

    def say(self, message: Message) -> None:
        """Put a message into the line."""
        raise NotImplementedError

    def bid_farewell(self, code: int, reason: str) -> None:
        """Put the end into the line."""
        raise NotImplementedError

    def received(self, data: bytes, now: float) -> None:
        """Take what the client sent."""
        raise NotImplementedError


class EventStream(Channel):
    """A connection of Server-Sent Events (HTML, section 9.2): it is only written to."""

    def __init__(self, *, project: str | None = None, after: int | None = None) -> None:
        super().__init__(project=project, after=after)
        self.write(b"retry: 3000\n\n")

    def say(self, message: Message) -> None:
        """Put an event into the line."""
        self.write(message.event)

    def bid_farewell(self, code: int, reason: str) -> None:
        """Tell why it ends; the browser comes back by itself, with the last id that it heard."""
        if not self.ending:
            told = orjson.dumps({"code": code, "reason": reason})
            self.write(b"event: end\ndata: %b\n\n" % told)
        self.ending = True

    def received(self, data: bytes, now: float) -> None:
        """Ignore what is said after the request."""


class WebSocket(Channel):
    """A connection that speaks RFC 6455, without extensions, so that all hear the same bytes."""

    def __init__(self, *, project: str | None = None, after: int | None = None) -> None:
        super().__init__(project=project, after=after)
        self._protocol = Protocol(SERVER, state=OPEN, max_size=MOST_RECEIVED, logger=_log)
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._text: list[str] = []
        self._allowance = float(BURST)
        self._counted_at = 0.0

    def say(self, message: Message) -> None:
        """Put a frame into the line."""
        if self._protocol.state is OPEN:
            self.write(message.frame)

    def bid_farewell(self, code: int, reason: str) -> None:
        """Begin to close; the client is to answer."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._collect()

    def received(self, data: bytes, now: float) -> None:
        """Take bytes of frames, in whatever pieces they come."""
        self._protocol.receive_data(data)
        self._allowance = min(self._allowance + (now - self._counted_at) * PER_SECOND, BURST)
        self._counted_at = now
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and self._protocol.state is OPEN:
                self._take(frame)
        self._collect()

    def _take(self, frame: Frame) -> None:
        self._allowance -= 1
        if self._allowance < 0:
            self._protocol.fail(POLICY, "Too many messages.")
        elif frame.opcode is Opcode.BINARY:
            self._protocol.fail(UNSUPPORTED, "Only text is understood.")
        elif frame.opcode in {Opcode.TEXT, Opcode.CONT}:
            self._take_text(frame)

    def _take_text(self, frame: Frame) -> None:
        try:
            self._text.append(self._decode.decode(bytes(frame.data), final=frame.fin))
        except UnicodeDecodeError:
            self._protocol.fail(BAD_TEXT, "The text is not UTF-8.")
            return
        if frame.fin:
            text = "".join(self._text)
            self._text.clear()
            if self.holder is None:
                self._introduce(text)

    def _introduce(self, text: str) -> None:
        """Read the first message: a credential, alone or as {"token": ..., "last_event_id": ...}."""
        token = text.strip()
        if token.startswith("{"):
            try:
                said = orjson.loads(token)
            except orjson.JSONDecodeError:
                said = {}
            shown, last = said.get("token"), said.get("last_event_id")
            token = str(shown or "")
            self.after = event_number(last) if last is not None else self.after
        self.shown(token)

    def _collect(self) -> None:
        for data in self._protocol.data_to_send():
            self.write(data)
            self.ending = self.ending or not data  # an empty piece is the end


def event_number(text: object) -> int | None:
    """Read the id of an event; None for what is none."""
    given = str(text) if isinstance(text, str | int) else ""
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else None
