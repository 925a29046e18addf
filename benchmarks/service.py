"""The service as a process of its own, for benchmarks that look at it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE = 60.0
SERVE = (sys.executable, "-m", "hefesto_api", "serve", "--port", "{port}")


class Service:
    """One installation of the service: a folder with its database, served on a free port.

    `argv` is the command, in which `{port}` stands for the port; `environ` is set besides what it needs.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        argv: Sequence[str] = SERVE,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.database = folder / "hefesto.db"
        self.port = free_port()
        self._argv = [word.replace("{port}", str(self.port)) for word in argv]
        self.environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "HEFESTO_DATABASE_URL": f"sqlite:///{self.database}",
            "HEFESTO_ROOTS": str(root),
            "HEFESTO_LOG_LEVEL": "error",
            **(environ or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that leads the service's session."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start the service in a process group of its own; return the seconds until it was ready."""
        began = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env=self.environ, cwd=self.folder, start_new_session=True, stdout=log, stderr=log
            )
        while time.monotonic() - began < DEADLINE and self._process.poll() is None:
            with contextlib.suppress(OSError, urllib.error.HTTPError):
                self.call("GET", "/readyz")
                return time.monotonic() - began
            time.sleep(0.05)
        raise SystemExit(f"the service did not become ready:\n{self.log()[-3000:]}")

    def kill(self) -> None:
        """Kill every process of the service at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ask the service to end, and wait until it has."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the processes of the service, and of those that they saw end."""
        ticks = 0
        for about in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = about.read_text("utf-8", "replace").rpartition(")")[2].split()
                if int(fields[3]) == self.pid:  # the session that it leads
                    ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        """Return what the service wrote."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the `data` of an answer; raises HTTPError for a refusal."""
        return json.loads(self.fetch(method, path, body)).get("data")

    def fetch(self, method: str, path: str, body: Any = None) -> bytes:
        """Return the body of an answer; raises HTTPError for a refusal."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
