"""The whole service as processes: served, worked off, killed, and going on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
RULE = "HEF-SEC-COMMAND-INJECTION"
PATIENCE_SECONDS = 100.0  # also where three times as much goes on as there are processors


class Served:
    """`hefesto serve` in a folder, with a tree beside it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.root = folder / "src"
        self.root.mkdir()
        self.port = free_port()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HEFESTO_ROOTS": str(self.root),
            "HEFESTO_WORKERS": "1",
            "HEFESTO_ANALYSIS_PROCESSES": "1",
            **settings,
        }
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        argv = [sys.executable, "-m", "hefesto_api", "serve", "--port", str(self.port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, cwd=self._folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with suppress(OSError):
                if self.call("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.05)  # a process that starts tells nobody but who asks
        raise AssertionError((self._folder / "log").read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        """End all its processes by a signal and return the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        return self._process.wait(60)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call it and return the status and the data (or the error)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
                told = json.load(answer)
                return answer.status, told["data"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)["error"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The service, started."""
    made = Served(tmp_path)
    made.start()
    yield made
    made.end(signal.SIGKILL)


def test_a_fresh_installation_analyses_and_tells(served: Served) -> None:
    (served.root / "run.py").write_text(CODE)
    status, data = served.call("POST", "/api/v1/analyze", {"path": "."})
    assert (status, data["status"]) == (200, "completed")
    assert [one["rule_id"] for one in data["findings"]] == [RULE]
    finding = served.call("GET", "/api/v1/findings")[1]["findings"][0]
    status, told = served.call("PATCH", f"/api/v1/findings/{finding['id']}", {"status": "wontfix"})
    assert (status, told["status"]) == (200, "wontfix")
    assert served.call("GET", "/api/v1/findings/run.py")[1]["findings"][0]["status"] == "wontfix"
    assert served.end() == 0


def test_an_analysis_goes_on_after_the_power_is_cut(served: Served) -> None:
    for number in range(600):
        (served.root / f"run{number}.py").write_text(f"{CODE}# {number}\n")
    order = {"path": ".", "async": True, "severity_threshold": "LOW"}
    place = f"/api/v1/analyze/{served.call('POST', '/api/v1/analyze', order)[1]['analysis_id']}"
    until(served, place, lambda data: data["status"] != "queued")
    served.end(signal.SIGKILL)
    served.start()
    done = until(served, place, lambda data: data["status"] not in {"queued", "running"})
    assert (done["status"], done["files_analyzed"]) == ("completed", 600)
    _, listed = served.call("GET", f"/api/v1/findings?rule_id={RULE}&limit=1000&status=all")
    assert listed["total_count"] == 600
    assert {one["occurrence_count"] for one in listed["findings"]} == {1}


def until(served: Served, place: str, holds: Any) -> Any:
    """Ask for an analysis until something holds of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        data = served.call("GET", place)[1]
        if holds(data):
            return data
        time.sleep(0.02)
    raise AssertionError(data)
