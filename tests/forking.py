"""Commands without the start of a Python for each: one process imports them all and forks for each one.

What a command does is what it does as `python -m hefesto_api`: arguments, folder, environment, standard
streams and exit status are its own, and the process is. Only what it would import is there already: what
looks at a start (its imports, encodings, signals) starts a Python of its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

LENGTH = 8
STREAMS = 3
LATER = (  # what commands import when they come to it
    *(
        "hefesto_api.runtime",
        "hefesto_api.storage.migrate",
        "hefesto_api.storage.tables",
        "hefesto_api.analyzers.ruff",
    ),
    *("hefesto_api.adapters.history.repository", "jinja2"),
)


class Forking:
    """The process that forks, as its parent sees it."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "socket")
        argv = [sys.executable, "-P", __file__, self._path]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self, arguments: Sequence[str | Path], cwd: Path, environ: Mapping[str, str], text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the command with these arguments to its end; `text` is its standard input."""
        words = list(map(str, arguments))
        with ExitStack() as held:
            (given, into), (out, said), (err, told) = (_pipe(held) for _ in range(STREAMS))
            connection = held.enter_context(self.start(words, cwd, environ, (given, said, told)))
            for end in (given, said, told):
                end.close()
            threads = held.enter_context(ThreadPoolExecutor(STREAMS))
            threads.submit(_write, into, text)
            written = [threads.submit(one.read) for one in (out, err)]
            texts = [_plain(one.result()) for one in written]
            return subprocess.CompletedProcess(words, ended(connection), *texts)

    def start(
        self, words: Sequence[str], cwd: Path, environ: Mapping[str, str], streams: Sequence[IO[bytes] | int]
    ) -> socket.socket:
        """Start the command on three streams, and return what tells its end; closing that does not end it."""
        order = json.dumps([list(words), str(cwd), dict(environ)]).encode()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        numbers = [one if isinstance(one, int) else one.fileno() for one in streams]
        socket.send_fds(connection, [len(order).to_bytes(LENGTH, "big")], numbers)
        connection.sendall(order)
        return connection


def ended(connection: socket.socket) -> int:
    """Wait for the end of a command and return its status; a signal's number is negative."""
    with connection.makefile("rb") as told:
        return int(told.readline())


def _pipe(held: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    return held.enter_context(os.fdopen(reader, "rb")), held.enter_context(os.fdopen(writer, "wb", 0))


def _plain(written: bytes) -> str:
    return written.decode().replace("\r\n", "\n").replace("\r", "\n")


def _write(into: IO[bytes], text: str) -> None:
    with suppress(BrokenPipeError), into:
        into.write(text.encode())


def serve(path: str) -> None:
    """Fork for each connection, until standard input ends."""
    import hefesto_api.cli  # noqa: PLC0415 - the parent's side needs none of it

    for found in pkgutil.iter_modules(hefesto_api.cli.__path__):
        import_module(f"hefesto_api.cli.{found.name}")
    for name in LATER:
        import_module(name)
    assert threading.active_count() == 1, "a fork would lose threads"
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        os.write(1, b"ready\n")
        while listener.fileno() in select.select([listener.fileno(), 0], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _tend(connection)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _tend(connection: socket.socket) -> NoReturn:
    """Fork the command, wait for it, and tell its status."""
    head, streams, _, _ = socket.recv_fds(connection, LENGTH, STREAMS)
    with connection.makefile("rb") as rest:
        words, cwd, environ = json.loads(rest.read(int.from_bytes(head, "big")))
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _become(words, cwd, environ)
    os.closerange(0, min(connection.fileno(), *streams))
    for stream in streams:
        os.close(stream)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.sendall(b"%d\n" % status)
    os._exit(0)


def _become(words: list[str], cwd: str, environ: dict[str, str]) -> NoReturn:
    """Be the command, and end as Python does."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv = ["hefesto", *words]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(number, "w" if number else "r", encoding="utf-8", errors="surrogateescape")  # noqa: PTH123, SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stderr.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    status = _status()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _status() -> int:
    try:
        runpy.run_module("hefesto_api", run_name="__main__", alter_sys=False)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        sys.stderr.write(f"{left.code}\n")
        return 1
    except BaseException:  # told as Python tells it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
