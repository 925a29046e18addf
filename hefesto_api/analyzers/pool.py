"""Parser children and how they are kept in order: one that hangs or dies costs one file, never the run."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from hefesto_api.analyzers.base import FileReport
from hefesto_api.analyzers.child import LENGTH, READY, pack
from hefesto_api.domain.errors import AnalyzerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hefesto_api.analyzers.examination import Examination
    from hefesto_api.analyzers.registry import Thresholds

FILE_SECONDS = 20.0
START_SECONDS = 30.0
START_ATTEMPTS = 3  # something may end a child while it starts: what is short of memory, an operator


class ParserChild:
    """One child process, started when first needed and again when it was lost."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._hello = msgspec.msgpack.encode(thresholds)
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._closed = False

    def examine(self, batch: Sequence[Examination]) -> Iterator[bytes]:
        """Yield one packed report for each examination, in order.

        A file that kills or hangs the child is answered with a report that says so, and the files behind
        it go to a new child.
        """
        position, suspect = 0, -1
        while position < len(batch):
            # A file that may have killed the child is tried once more, alone, before it is blamed.
            part = batch[position : position + 1] if suspect == position else batch[position:]
            try:
                self._send(part)
                for _ in part:
                    yield self._receive()
                    position += 1
            except (TimeoutError, OSError) as error:
                self._end()
                if self._closed:
                    raise
                if suspect == position or isinstance(error, TimeoutError):
                    yield pack(_lost(batch[position], error))
                    position += 1
                else:
                    suspect = position

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
        self._buffer.clear()
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _send(self, batch: Sequence[Examination]) -> None:
        process = self._started()
        assert process.stdin is not None  # noqa: S101 - a pipe by construction
        body = msgspec.msgpack.encode(batch)
        _write(process.stdin.fileno(), LENGTH.pack(len(body)) + body)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        for attempt in range(START_ATTEMPTS):
            self._end()
            if self._closed:
                raise BrokenPipeError
            try:
                return self._start()
            except OSError as error:
                if self._closed:
                    raise
                if attempt == START_ATTEMPTS - 1:
                    raise AnalyzerUnavailable("The parser does not start.", service="parser") from error
        raise AssertionError("the last attempt returns or raises")

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the child and wait until it says that it is there; raises OSError."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "hefesto_api.analyzers.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            close_fds=True,
        )
        process = self._process
        if self._closed:  # `break_off` came before there was anything to end
            raise BrokenPipeError
        assert process.stdin is not None  # noqa: S101 - a pipe by construction
        _write(process.stdin.fileno(), LENGTH.pack(len(self._hello)) + self._hello)
        self._take(len(READY), time.monotonic() + START_SECONDS)
        return process

    def _receive(self) -> bytes:
        deadline = time.monotonic() + FILE_SECONDS
        (length,) = LENGTH.unpack(self._take(LENGTH.size, deadline))
        return self._take(length, deadline)

    def _take(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._read(deadline)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _read(self, deadline: float) -> bytes:
        process = self._process
        if process is None or process.stdout is None:
            raise BrokenPipeError
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise TimeoutError
        received = os.read(process.stdout.fileno(), 1 << 18)
        if not received:
            raise BrokenPipeError
        return received


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _lost(task: Examination, error: Exception) -> FileReport:
    hung = isinstance(error, TimeoutError)
    reason = f"not parsed within {FILE_SECONDS:.0f} s" if hung else "the parser died on this file"
    return FileReport(language=task.source.language, skipped=reason)
