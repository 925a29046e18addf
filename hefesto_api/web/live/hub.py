"""The thread that holds all connections of the live feed: it alone touches their sockets.

Whatever waits for a database is done by another (`web.live.feed`), which leaves word here by `post`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import Counter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from hefesto_api.adapters import logs
from hefesto_api.web.live import channels
from hefesto_api.web.live.messages import HEARTBEAT, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hefesto_api.web.live.channels import Channel

HEARTBEAT_SECONDS = 30.0
INTRODUCTION_SECONDS = 10.0
"""What a client has to show who it is, where that is asked."""
FAREWELL_SECONDS = 5.0
"""What a client has to take what still waits, and to answer the end."""
LINGER_SECONDS = 2.0
"""What a client has to close its end."""
STUCK_SECONDS = 30.0
"""How long nothing at all may be taken."""
_RECEIVED = 2048  # bytes at once: a flood of small frames takes the thread no longer than that
_BUFFER = 64 * 1024  # of the kernel, for each connection


class Rooms:
    """How many connections there may be: in all, and of each caller and address (0: any number).

    `told` is told how many there are whenever that changes.
    """

    def __init__(self, most: int, of_each: int, told: Callable[[int], None] = lambda _count: None) -> None:
        self._most = most
        self._told = told
        self._of_each = of_each
        self._count = 0
        self._by_name: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, names: Sequence[str], *, new: bool = True) -> bool:
        """Count a connection by its names, if there is room; a known one may get further names."""
        with self._lock:
            if new and self._count >= self._most:
                return False
            if self._of_each and any(self._by_name[name] >= self._of_each for name in names):
                return False
            self._count += new
            self._by_name.update(names)
            self._told(self._count)
            return True

    def leave(self, names: Sequence[str]) -> None:
        """Count a connection no more."""
        with self._lock:
            self._count -= 1
            self._told(self._count)
            self._by_name.subtract(names)
            for name in names:
                if self._by_name[name] <= 0:
                    del self._by_name[name]

    def __len__(self) -> int:
        return self._count


class Hub:
    """Connections and one loop over them; `seconds` is a clock that never goes back.

    `left` is called when a connection is gone, by the hub's thread.
    """

    def __init__(
        self,
        rooms: Rooms,
        seconds: Callable[[], float] = time.monotonic,
        left: Callable[[Channel], None] = lambda _channel: None,
    ) -> None:
        self.rooms = rooms
        self._seconds = seconds
        self._left = left
        self._channels: set[Channel] = set()
        self._selector = selectors.DefaultSelector()
        self._posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wakes, self._wake = socket.socketpair()
        self._wakes.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._inspect_at = seconds() + 1
        self._thread: threading.Thread | None = None
        self._closing = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._channels)

    def start(self) -> None:
        """Begin to turn, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="live-hub", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell all connections that the service goes away, and end once they took it, soon anyway."""
        self.post(self._begin_to_close)
        if self._thread is not None:
            self._thread.join(FAREWELL_SECONDS + LINGER_SECONDS)

    def post(self, action: Callable[[], None]) -> None:
        """Have something done by the hub's thread; safe to call from any."""
        self._posted.put(action)
        with contextlib.suppress(OSError):  # full: it wakes anyway
            self._wake.send(b"\0")

    # What follows is called by the hub's thread alone.

    def add(self, channel: Channel, sock: socket.socket, early: bytes = b"") -> None:
        """Hold a connection from now on; `early` is what was read of it before."""
        now = self._seconds()
        sock.setblocking(False)
        channel.sock = sock
        if self._closing:
            channel.gone = True
            self.rooms.leave(channel.names)
            sock.close()
            return
        _tune(sock)
        self._channels.add(channel)
        self._selector.register(sock, selectors.EVENT_READ, channel)
        if channel.holder is None:
            channel.deadline = now + INTRODUCTION_SECONDS
        if early:
            channel.received(early, now)
        self._flush(channel)

    def count(self, channel: Channel, name: str) -> None:
        """Count a connection by who it is that listens, once that is known; too many end."""
        if channel not in self._channels or not name:
            return
        if self.rooms.enter((name,), new=False):
            channel.names = (*channel.names, name)
        else:
            self.dismiss(channel, channels.TOO_MANY, "There are too many connections of this caller.")

    def join(self, channel: Channel, messages: Iterable[Message]) -> None:
        """Say what comes first, and from now on all else."""
        if channel not in self._channels or channel.ending or channel.dismissed:
            return
        channel.joined = True
        channel.deadline = None
        channel.beat_at = self._seconds() + HEARTBEAT_SECONDS
        for message in messages:
            channel.say(message)
        self._flush(channel)

    def publish(self, messages: Sequence[Message]) -> None:
        """Say messages to all who may hear them."""
        for channel in list(self._channels):
            audience = channel.audience
            if not channel.joined or channel.ending or audience is None:
                continue
            said = False
            for message in messages:
                if audience.hears(message):
                    channel.say(message)
                    said = True
            if said:
                self._flush(channel)

    def dismiss(self, channel: Channel, code: int, reason: str) -> None:
        """Tell a connection why it ends, and end it."""
        if channel not in self._channels:
            return
        channel.joined, channel.dismissed = False, True
        channel.bid_farewell(code, reason)
        channel.deadline = min(channel.deadline or float("inf"), self._seconds() + FAREWELL_SECONDS)
        self._flush(channel)

    def turn(self, timeout: float | None = None) -> None:
        """Wait for something to happen and see to it."""
        for key, mask in self._selector.select(timeout):
            channel: Channel | None = key.data
            if channel is None:
                self._do_posted()
            elif channel in self._channels:
                if mask & selectors.EVENT_READ:
                    self._receive(channel)
                if mask & selectors.EVENT_WRITE and channel in self._channels:
                    self._flush(channel)
        if self._seconds() >= self._inspect_at:
            self._inspect()

    def _run(self) -> None:
        while not self._closed:
            try:
                self.turn(max(self._inspect_at - self._seconds(), 0.0))
            except Exception as error:  # one fault must not end the feed of all
                logs.of("live").error("hub_failed", exc_info=error)
        for channel in list(self._channels):
            self._drop(channel)
        self._selector.close()
        self._wakes.close()
        self._wake.close()

    def _do_posted(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakes.recv(4096):
                pass
        with contextlib.suppress(Empty):
            while True:
                self._posted.get_nowait()()

    def _begin_to_close(self) -> None:
        self._closing = True
        for channel in list(self._channels):
            self.dismiss(channel, channels.GOING_AWAY, "The service restarts.")
        self._closed = not self._channels
        self._inspect_at = self._seconds()

    def _receive(self, channel: Channel) -> None:
        try:
            data = channel.sock.recv(_RECEIVED)
        except BlockingIOError:
            return
        except OSError:
            self._drop(channel)
            return
        if not data:
            self._drop(channel)
        elif not channel.lingering:
            channel.received(data, self._seconds())
            self._flush(channel)

    def _flush(self, channel: Channel) -> None:
        """Send what waits, as far as it is taken; let go of who falls behind."""
        sock = channel.sock
        try:
            while channel.waiting:
                channel.sent(sock.send(channel.waiting[0]))
                channel.stuck_since = None
        except BlockingIOError:
            if channel.stuck_since is None:
                channel.stuck_since = self._seconds()
        except OSError:
            self._drop(channel)
            return
        if channel.ending and not channel.waiting:
            self._end(channel)
            return
        if channel.joined and channel.is_behind():
            self._let_go_slow(channel)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.waiting else 0)
        if channel in self._channels and self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted, channel)

    def _let_go_slow(self, channel: Channel) -> None:
        """Tell a reader that is too slow so instead of all that waits."""
        logs.of("live").info("reader_too_slow", waiting=channel.size)
        channel.joined, channel.dismissed = False, True
        channel.forget_waiting()
        channel.bid_farewell(channels.TRY_LATER, "Too slow: read faster, then come back.")
        channel.deadline = self._seconds() + FAREWELL_SECONDS

    def _inspect(self) -> None:
        """Once a second: heartbeats that are due, and connections whose time is over."""
        now = self._seconds()
        self._inspect_at = now + (0.1 if self._closing else 1.0)
        beat = Message(HEARTBEAT, {})
        for channel in list(self._channels):
            if channel.deadline is not None and now >= channel.deadline:
                self._time_out(channel)
            elif channel.stuck_since is not None and now - channel.stuck_since >= STUCK_SECONDS:
                self._drop(channel)
            elif channel.joined and now >= channel.beat_at:
                channel.beat_at += HEARTBEAT_SECONDS
                channel.say(beat)
                self._flush(channel)
        if self._closing and not self._channels:
            self._closed = True

    def _time_out(self, channel: Channel) -> None:
        if channel.holder is None and not channel.dismissed:
            channel.deadline = None
            self.dismiss(channel, channels.UNAUTHENTICATED, "Nobody said who listens.")
        else:
            self._drop(channel)

    def _end(self, channel: Channel) -> None:
        """Close our end, and wait for the client's: else what is unread takes our last words along."""
        channel.joined = False
        if channel.lingering:
            return
        channel.lingering = True
        channel.deadline = min(channel.deadline or float("inf"), self._seconds() + LINGER_SECONDS)
        try:
            channel.sock.shutdown(socket.SHUT_WR)
            self._selector.modify(channel.sock, selectors.EVENT_READ, channel)
        except OSError:
            self._drop(channel)

    def _drop(self, channel: Channel) -> None:
        if channel not in self._channels:
            return
        self._channels.discard(channel)
        channel.joined, channel.ending, channel.gone = False, True, True
        self._selector.unregister(channel.sock)
        channel.sock.close()
        self.rooms.leave(channel.names)
        self._left(channel)
        if self._closing and not self._channels:
            self._closed = True


def _tune(sock: socket.socket) -> None:
    """Send small messages at once, hold little for who does not read, notice who is gone without a word."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 45_000)
