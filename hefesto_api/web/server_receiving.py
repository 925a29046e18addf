"""What a connection sends, kept until a request is whole: no thread ever waits for the rest of one.

gunicorn's parser alone decides what a request is. What is found out here is only whether enough has come for
it to go on: the end of a head, so many bytes of a body, the last of its chunks. Should that ever be wrong,
the parser finds the request cut short, and it is refused; nothing is read as something else.
"""

from __future__ import annotations

import io
import re
import threading
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from gunicorn.http import message
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader

IN_MEMORY = 64 * 1024
"""Bytes of a body, and of an answer, that are kept in memory; the rest goes to a file."""
_PIECE = 8192  # what the parser is given at once: its reader copies the rest of it for every kilobyte
_LONGEST_LINE = 4096  # of a chunk's size with its extensions
_LONGEST_TRAILERS = 65536
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class NoRoom(Exception):
    """As many bytes are kept already for clients as may be."""


class Budget:
    """How many bytes a process may keep for all clients together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Take so many bytes, if there are as many left."""
        with self._lock:
            if count > self.left:
                return False
            self.left -= count
            return True

    def give(self, count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self.left += count


class Spool:
    """What has come of a body, on disk when it is much."""

    def __init__(self, budget: Budget) -> None:
        self.file: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - see `close`
        self.size = 0
        self._budget = budget

    def write(self, data: bytes) -> None:
        """Keep bytes; raises NoRoom, also where the disk has none."""
        count = len(data)
        if not self._budget.take(count):
            raise NoRoom
        self.size += count
        try:
            self.file.write(data)
        except OSError as error:
            raise NoRoom from error

    def close(self) -> None:
        """Let go of all."""
        self._budget.give(self.size)
        self.size = 0
        self.file.close()


class Inlet(Unreader):  # type: ignore[misc] # gunicorn is untyped
    """Gives gunicorn's parser what was received; behind that is, for it, the end of the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.buf = io.BytesIO()
        self._source: IO[bytes] = io.BytesIO()

    def chunk(self) -> bytes:
        """Return the next bytes, none at the end."""
        return self._source.read(_PIECE)

    def feed(self, source: IO[bytes]) -> None:
        """Have the parser read on from a file; what it had to read is to be taken before."""
        self._source = source

    def take(self) -> bytes:
        """Return all that was not read yet, which is read no more."""
        rest: bytes = self.buf.getvalue() + self._source.read()
        self.buf, self._source = io.BytesIO(), io.BytesIO()
        return rest


class Request(message.Request):  # type: ignore[misc] # gunicorn is untyped
    """A request, whose proxies `web.client` asks about."""

    def _peer_trusted_for_forwarded(self) -> tuple[dict[str, str], list[str]]:
        """Say that no peer is trusted: our settings name none, and finding that out anew takes time."""
        return {}, []


class Parser(RequestParser):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn's parser, which parses when a head has come, and gives what came of it to who serves it."""

    mesg_class = Request

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.unreader = Inlet()
        self.failure: Exception | None = None

    def prepare(self) -> bool:
        """Parse the head that has come; tell whether it is one. Why not is kept for who serves it."""
        try:
            super().__next__()
        except Exception as failure:  # whatever it is, it is raised where it is answered
            self.failure = failure
        return self.failure is None

    def replace_body(self, file: IO[bytes]) -> None:
        """Have the body read from a file that holds it whole."""
        self.mesg.body = file

    def close_if_broken(self) -> None:
        """Have a body that cannot be read to its end be the last: gunicorn would go on somewhere behind."""
        self.mesg.body.reader = _Careful(self.mesg)

    def no_longer_expects(self) -> bool:
        """Tell whether the client waits to be told to go on, and have gunicorn not tell it."""
        expected: bool = self.mesg._expected_100_continue  # noqa: SLF001 - gunicorn has no other name for it
        self.mesg._expected_100_continue = False  # noqa: SLF001
        return expected

    def __next__(self) -> Any:
        """Return the request that was prepared, or raise what it failed by."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return self.mesg

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """Skip what was not read of a body; one in a file of its own is in nobody's way."""
        if self.mesg is None or isinstance(self.mesg.body, io.BytesIO | SpooledTemporaryFile):
            return True
        return bool(super().finish_body(deadline, max_bytes))


class _Careful:
    """Reads a request's body; when that fails, nothing that follows is taken for a request."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._reader = request.body.reader

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except Exception:
            self._request.force_close()
            raise
        return data


class Chunks:
    """Looks for the end of a chunked body in bytes as they come.

    What it cannot follow it takes for the end: the parser then says what is wrong with it.
    """

    def __init__(self) -> None:
        self._announced = 0
        self._line = bytearray()  # what has come of a line, or of the trailers
        self._skip = 0  # bytes to the end of the chunk, its line end included
        self._in_trailers = False

    @property
    def payload(self) -> int:
        """How many bytes of the body itself have come."""
        return self._announced - max(self._skip - 2, 0)

    def is_whole(self, data: bytes) -> bool:
        """Take bytes in; tell whether the body has ended within or before them."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
            elif self._in_trailers:
                self._line += data[at:]
                return self._trailers_end()
            else:
                end = data.find(b"\n", at)
                stop = len(data) if end < 0 else end + 1
                self._line += data[at:stop]
                at = stop
                if (end >= 0 and self._size_fails()) or len(self._line) > _LONGEST_LINE:
                    return True
        return False

    def _size_fails(self) -> bool:
        """Read the line of a chunk's size; tell whether it is none."""
        if not self._line.endswith(b"\r\n"):
            return False  # the parser takes a bare line feed for a part of the line
        text = bytes(self._line[:-2]).partition(b";")[0].rstrip(b" \t")
        self._line.clear()
        if not _SIZE.fullmatch(text):
            return True
        size = int(text, 16)
        self._announced += size
        self._in_trailers = size == 0
        self._skip = size + 2 if size else 0
        return False

    def _trailers_end(self) -> bool:
        return (
            self._line.startswith(b"\r\n") or b"\r\n\r\n" in self._line or len(self._line) > _LONGEST_TRAILERS
        )
