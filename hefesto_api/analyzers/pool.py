"""Parser children and how they are kept in order: one that hangs or dies costs one file, never the run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from hefesto_api.analyzers import child_command
from hefesto_api.analyzers.base import FileReport
from hefesto_api.analyzers.child import LENGTH, READY, pack
from hefesto_api.domain.errors import AnalyzerUnavailable
from hefesto_api.settings import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hefesto_api.analyzers.base import Examination
    from hefesto_api.analyzers.registry import Thresholds

    More = Callable[[bool, int], Sequence[Examination] | None]

FILE_SECONDS = 20.0
START_SECONDS = 30.0
START_ATTEMPTS = 3  # something may end a child while it starts: what is short of memory, an operator

# A child works through some 4 MB a second, on a core that our threads want, too: they feed it rarely and
# much at a time, and fetch its answers likewise. With 64 KB before it and a look every 6 ms it waited for
# us now and then, and our being woken took from its time: a first analysis of Django was some 6% slower.
ENOUGH_BYTES = 512 << 10  # of files that a child has before it: more are sent when it has less
PAUSE_BYTES = 192 << 10
PAUSE_SECONDS = 0.02
PIPE_BYTES = 1 << 20  # so that a child need not wait either while nobody fetches its answers


class ParserChild:
    """One child process, started when first needed and again when it was lost."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._hello = msgspec.msgpack.encode(thresholds)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._closed = False

    def start(self) -> None:
        """Start the child without waiting for it: what follows finds it ready sooner. Never raises."""
        with contextlib.suppress(OSError):
            if self._process is None and not self._closed:
                self._spawn()

    def examine(self, more: More) -> Iterator[list[tuple[Examination, bytes]]]:
        """Yield the tasks that `more` gives, in order, each with its packed report, as many as are done.

        `more` answers a batch, an empty one when there is none just now (asked with True it waits a while
        for one; it is told how many bytes of files the child still has), or None at the end. A task that
        kills or hangs the child is answered with a report that says so, and those behind it go to a new
        child.
        """
        work = _Work(more)
        while work.goes_on():
            try:
                if batch := work.to_send():
                    self._send(batch)
                    work.sent(batch)
                done = [(work.take(), report) for report in self._receive(work)]
            except (TimeoutError, OSError) as error:
                self._end()
                if self._closed:
                    raise
                lost = work.lost(error)
                done = [] if lost is None else [(lost, pack(_lost(lost, error)))]
            if done:
                yield done

    def break_off(self) -> None:
        """End the child for good while another thread waits for it: its `examine` raises OSError."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the child for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        """End the child; it holds nothing that could be lost."""
        process, self._process = self._process, None
        self._ready = False
        self._received.clear()
        self._unsent = memoryview(b"")
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _send(self, batch: Sequence[Examination]) -> None:
        """Begin to send a batch; `_receive` sends the rest, since the child may want to be read first."""
        self._started()
        body = msgspec.msgpack.encode(batch)
        self._unsent = memoryview(bytes(self._unsent) + LENGTH.pack(len(body)) + body)
        self._write()

    def _started(self) -> None:
        if self._ready and self._process is not None and self._process.poll() is None:
            return
        for attempt in range(START_ATTEMPTS):
            if self._closed:
                raise BrokenPipeError
            try:
                self._start()
            except OSError as error:
                self._end()
                if self._closed:
                    raise
                if attempt == START_ATTEMPTS - 1:
                    raise AnalyzerUnavailable("The parser does not start.", service="parser") from error
            else:
                return

    def _start(self) -> None:
        """Start the child, unless that was done, and wait until it says that it is there; raises OSError."""
        if self._ready or self._process is None:
            self._end()
            self._spawn()
        if self._closed:  # `break_off` came before there was anything to end
            raise BrokenPipeError
        deadline = time.monotonic() + START_SECONDS
        while len(self._received) < len(READY):
            self._transfer(deadline)
        del self._received[: len(READY)]
        self._ready = True

    def _spawn(self) -> None:
        self._process = process = subprocess.Popen(  # noqa: S603 - an argv of ours, without a shell
            child_command.argv(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=bundle.environ(),
            close_fds=True,
            bufsize=0,
        )
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                with contextlib.suppress(OSError):  # this user has many pipes already: smaller ones do
                    fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._unsent = memoryview(LENGTH.pack(len(self._hello)) + self._hello)
        self._write()

    def _receive(self, work: _Work) -> list[bytes]:
        """Return the answers that have come, at least one; raises TimeoutError for the first to wait for."""
        if work.bytes_before > PAUSE_BYTES:
            time.sleep(PAUSE_SECONDS)
        deadline = work.since + FILE_SECONDS
        while not (frames := self._frames()):
            self._transfer(deadline)
        return frames

    def _frames(self) -> list[bytes]:
        """Take the whole frames out of what was received."""
        frames: list[bytes] = []
        at = 0
        received = self._received
        while len(received) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(received, at)
            end = at + LENGTH.size + length
            if end > len(received):
                break
            frames.append(bytes(received[at + LENGTH.size : end]))
            at = end
        del received[:at]
        return frames

    def _transfer(self, deadline: float) -> None:
        """Wait until the child said something or takes more in, and read or write that."""
        process = self._process
        if process is None or process.stdout is None or process.stdin is None:
            raise BrokenPipeError
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        if self._unsent:
            poll.register(process.stdin, select.POLLOUT)
        events = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
        if not events:
            raise TimeoutError
        if any(descriptor == process.stdout.fileno() for descriptor, _ in events):
            received = os.read(process.stdout.fileno(), PIPE_BYTES)
            if not received:
                raise BrokenPipeError
            self._received += received
        if self._unsent:
            self._write()

    def _write(self) -> None:
        """Write as much as the child takes in now."""
        process = self._process
        if process is None or process.stdin is None:
            raise BrokenPipeError
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[os.write(process.stdin.fileno(), self._unsent) :]


class _Work:
    """What one child has before it: the tasks sent and not answered, and those to be sent again."""

    def __init__(self, more: More) -> None:
        self._more = more
        self._ended = False
        self._sent: deque[Examination] = deque()
        self._again: deque[Examination] = deque()
        self._suspect: Examination | None = None  # may have killed a child: is sent once more, alone
        self.bytes_before = 0
        self.since = 0.0  # when the child began with the first of them

    def goes_on(self) -> bool:
        """Tell whether there is anything to send or to wait for; waits for more while there is not."""
        while not self._sent and not self._again and not self._ended:
            self._fetch(wait=True)
        return bool(self._sent or self._again)

    def to_send(self) -> list[Examination]:
        """Return the tasks to be sent now, if any."""
        if self._suspect is not None:
            return [] if self._sent else [self._suspect]
        if not self._again and not self._ended and self.bytes_before < ENOUGH_BYTES:
            self._fetch(wait=False)
        return list(self._again)

    def sent(self, batch: Sequence[Examination]) -> None:
        """Note what was sent, the first of what was to be."""
        if not self._sent:
            self.since = time.monotonic()
        for task in batch:
            self._again.popleft()
            self._sent.append(task)
            self.bytes_before += len(task.source.content)

    def take(self) -> Examination:
        """Return the task that was answered."""
        task = self._sent.popleft()
        self.bytes_before -= len(task.source.content)
        self.since = time.monotonic()
        self._suspect = None
        return task

    def lost(self, error: Exception) -> Examination | None:
        """Note that the child is gone with all it had; return the task to blame, if there is no doubt."""
        self._again.extendleft(reversed(self._sent))
        self._sent.clear()
        self.bytes_before = 0
        first = self._again[0]
        if self._suspect is first or isinstance(error, TimeoutError):
            self._suspect = None
            return self._again.popleft()
        self._suspect = first
        return None

    def _fetch(self, *, wait: bool) -> None:
        batch = self._more(wait, self.bytes_before)
        self._ended = batch is None
        self._again.extend(batch or ())


def _lost(task: Examination, error: Exception) -> FileReport:
    hung = isinstance(error, TimeoutError)
    reason = f"not parsed within {FILE_SECONDS:.0f} s" if hung else "the parser died on this file"
    return FileReport(language=task.source.language, skipped=reason)
