"""gunicorn's threaded worker, in which threads serve whole requests only and never wait for a client.

gunicorn's own has a thread wait for the rest of a head, of a body, and for readers: some sixty slow clients
(Slowloris) leave none for anybody else. Here the poller's thread waits for them all: it receives until a
request is whole, and sends what a client did not take at once. What fails before it becomes a request is
answered in the envelope as well.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import ThreadWorker

from hefesto_api.adapters import logs
from hefesto_api.web import context, server_answers
from hefesto_api.web.live import handover
from hefesto_api.web.server_connection import LINGER_SECONDS, WRITE_SECONDS, Connection, Stage, Verdict
from hefesto_api.web.server_crowd import Crowd
from hefesto_api.web.server_receiving import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_KEPT = 1 << 30
"""Bytes that a process keeps on disk, and in memory, of bodies to come and answers to go."""
MOST_OF_EACH = 256
"""Connections of one address to a process, but for this machine's and trusted proxies'."""
_MOST_BODY = 256 << 20  # where no settings tell
_SPARE = 32  # connections: room for those that come before others have gone
_REPORT_SECONDS = 10.0
_HANDED_ON = object()
"""What `handle` returns of a connection that somebody else holds from now on."""


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn is untyped
    """A worker whose poller holds every connection that owes something."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.crowd = Crowd(self.cfg.worker_connections - _SPARE, MOST_OF_EACH)
        self.budget = Budget(MOST_KEPT)
        self._most_body = _MOST_BODY
        self._let_go = 0
        self._report_at = self._sweep_at = 0.0

    def init_process(self) -> None:
        """Say, in the process that serves, that connections can be handed on; then serve."""
        handover.expect()
        super().init_process()

    def run(self) -> None:
        """Serve, as the application's settings say."""
        if (runtime := self._runtime()) is not None:
            self._most_body = runtime.settings.max_upload_mb << 20
            most = self.cfg.worker_connections - _SPARE
            self.crowd = Crowd(most, MOST_OF_EACH, runtime.settings.trusted_proxies)
        _settle(self.cfg)
        super().run()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Say that this process takes no new work, so that probes send none, and end gracefully.

        Until probes have seen it, it goes on answering; each answer is the last of its connection. Who is
        told to end for the second time ends now.
        """
        runtime = self._runtime()
        waits = 0.0
        if runtime is not None and not runtime.draining.is_set():
            runtime.draining.set()
            waits = runtime.settings.drain_seconds
        self.max_keepalived = 0
        if waits:
            ending = threading.Timer(waits, super().handle_exit, (sig, frame))
            ending.daemon = True
            ending.start()
        else:
            super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Open the door, or shut it for a while; for good when the process ends.

        Who would connect then is to be refused, and asks another: gunicorn leaves the socket open until all
        others have gone, and who is in its queue waits in vain. Those who are at the door are let in.
        """
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            known = -1
            while known != len(self.crowd):
                known = len(self.crowd)
                self.accept(listener)
            listener.close()

    def accept(self, listener: Any) -> None:
        """Take a new connection; where there are too many, who has done nothing for longest goes."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._make_room(self.crowd.oldest())
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        conn = Connection(self.cfg, sock, client, listener.getsockname(), self.budget, self._most_body)
        self._make_room(self.crowd.too_many())
        self.crowd.enter(conn)
        self.nr_conns = len(self.crowd)
        self._make_room(self.crowd.too_many_of(conn))
        if conn.stage is not Stage.CLOSED:
            self._act(conn, conn.receive())

    def handle(self, conn: Any) -> Any:
        """Serve a request, which has come whole."""
        conn.outlet.begin()
        result = super().handle(conn)
        return _HANDED_ON if handover.is_offered(conn.sock) else result

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from its thread."""
        with self._at_its_own_cost(conn):
            self._take_back(conn, fs)

    def _take_back(self, conn: Connection, fs: Any) -> None:
        """Send what waits, then go on, or end, or hand it on."""
        result = not fs.cancelled() and fs.exception() is None and fs.result()
        if result is _HANDED_ON:
            self._hand_on(conn)
            return
        conn.stays = bool(result) and self.alive
        if conn.sock.fileno() < 0:
            self._drop(conn)
        elif conn.outlet.is_pending:
            conn.stage, conn.deadline = Stage.SENDING, time.monotonic() + WRITE_SECONDS
            self._watch(conn, EVENT_WRITE)
        else:
            self._go_on(conn)

    def murder_pending(self) -> None:
        """Let go of those whose time is over."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + 0.5
        for conn in self.crowd:
            if conn.stage is not Stage.SERVED and conn.deadline <= now:
                self._expire(conn)
        if self._let_go and now >= self._report_at:
            logs.of("server").warning("slow_clients_let_go", count=self._let_go, connections=len(self.crowd))
            self._let_go, self._report_at = 0, now + _REPORT_SECONDS

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait no longer than a second, also while the worker ends and connections come due."""
        super().wait_for_and_dispatch_events(min(timeout, 1.0))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Log what went wrong, without what the client sent, and answer in the envelope."""
        status = server_answers.status_of(exc)
        if status == 500:
            logs.of("server").error("request_failed", code="INTERNAL_ERROR", exc_info=exc)
        else:
            peer = addr[0] if isinstance(addr, tuple) else ""
            logs.of("server").warning("request_unreadable", reason=type(exc).__name__, client=peer)
        server_answers.send_at_once(client, status)

    def _act(self, conn: Connection, verdict: Verdict) -> None:
        if verdict is Verdict.READY:
            conn.stage = Stage.SERVED
            self.enqueue_req(conn)
        elif verdict is Verdict.WAIT:
            self._watch(conn, EVENT_READ)
        else:
            self._drop(conn)

    @contextlib.contextmanager
    def _at_its_own_cost(self, conn: Connection) -> Iterator[None]:
        """Have what should never fail cost the connection that it fails for, and no other."""
        try:
            yield
        except Exception as error:
            logs.of("server").error("connection_failed", code="INTERNAL_ERROR", exc_info=error)
            self._drop(conn)

    def _on_event(self, conn: Connection, _sock: Any) -> None:
        with self._at_its_own_cost(conn):
            self._look_at(conn)

    def _look_at(self, conn: Connection) -> None:
        if conn.stage is Stage.SERVED:
            self._watch(conn, 0)  # what it sends has time until it is answered
        elif conn.stage is Stage.SENDING:
            verdict = conn.pump()
            if verdict is Verdict.READY:
                self._go_on(conn)
            elif verdict is Verdict.GONE:
                self._drop(conn)
        elif conn.stage is Stage.LINGERING:
            self._drain(conn)
        elif conn.stage is not Stage.CLOSED:
            self._act(conn, conn.receive())

    def _go_on(self, conn: Connection) -> None:
        if conn.stays:
            self.crowd.progress(conn)
            self._act(conn, conn.follow())
        else:
            self._linger(conn)

    def _hand_on(self, conn: Connection) -> None:
        """Give a connection to who was offered it, with what was read of it beyond the request."""
        self._watch(conn, 0)
        taker = handover.claim(conn.sock)
        early = conn.parser.unreader.take()
        number = conn.sock.detach()
        self._drop(conn)
        if taker is None:
            return
        if number < 0:  # it broke while the head was written: who takes it is to see an end
            ended, other = socket.socketpair()
            other.close()
            taker(ended, b"")
        else:
            taker(socket.socket(fileno=number), early)

    def _expire(self, conn: Connection) -> None:
        if conn.stage is not Stage.IDLE and conn.stage is not Stage.LINGERING:
            self._let_go += 1
        if conn.stage in (Stage.HEAD, Stage.BODY):
            server_answers.send_at_once(conn.sock, 408)
            self._linger(conn)
        else:
            self._drop(conn)

    def _linger(self, conn: Connection) -> None:
        """End a connection without waiting for the client, which is to get the last of its answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.stage, conn.deadline = Stage.LINGERING, time.monotonic() + LINGER_SECONDS
        self._watch(conn, EVENT_READ)

    def _drain(self, conn: Connection) -> None:
        """Read what a client still sends after its last answer, until it closes its end."""
        try:
            ended = not conn.sock.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._drop(conn)

    def _make_room(self, victim: Connection | None) -> None:
        if victim is not None:
            self._let_go += 1
            self._drop(victim)

    def _drop(self, conn: Connection) -> None:
        self._watch(conn, 0)
        self.crowd.leave(conn)
        self.nr_conns = len(self.crowd)
        conn.close()

    def _watch(self, conn: Connection, events: int) -> None:
        """Have the poller wait for events of a connection, in place of those it waited for."""
        if conn.events == events:
            return
        before, conn.events = conn.events, events
        told = partial(self._on_event, conn)
        if not events:
            with contextlib.suppress(KeyError, ValueError, OSError):
                self.poller.unregister(conn.sock)
        elif before:
            self.poller.modify(conn.sock, events, told)
        else:
            # A thread may have closed a socket (gunicorn does, in mid-answer), whose number came again.
            with contextlib.suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock.fileno())
            self.poller.register(conn.sock, events, told)

    def _runtime(self) -> Any:
        application = getattr(self, "wsgi", None)  # there is none while it is loaded
        return getattr(application, "extensions", {}).get(context.KEY)


def _settle(config: Any) -> None:
    """Make gunicorn's settings plain attributes: it looks each up by a function, some thirty a request."""
    computed = dir(type(config))
    known = config.settings.items()
    config.__dict__.update({name: one.get() for name, one in known if name not in computed})
