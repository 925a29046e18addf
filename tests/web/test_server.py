"""gunicorn with our settings: how a server starts, and what becomes of a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.config import Config
from hefesto_api.web import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server of `starting`, with one worker."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    argv = [sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--workers", "1"]
    argv += ["--threads", "2", "--bind", f"127.0.0.1:{number}", "tests.web.starting:app"]
    environ = {**os.environ, "PORT": str(number), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with subprocess.Popen(argv, env=environ) as process:
        try:
            yield number
        finally:
            process.terminate()


def told(port: int, *, unlike: int = 0) -> dict[str, Any]:
    """Ask until a process answers that is not `unlike`; raises AssertionError when none does."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
        except OSError:
            continue
        if found["pid"] != unlike:
            return found
    raise AssertionError("nobody answered")


def test_who_connects_while_the_application_is_made_is_refused(port: int) -> None:
    assert told(port)["meanwhile"] == "refused"


def test_who_takes_the_place_of_a_killed_worker_makes_nothing_anew(port: int) -> None:
    first = told(port)
    os.kill(first["pid"], signal.SIGKILL)
    second = told(port, unlike=first["pid"])
    assert second["by"] == first["by"] != first["pid"]


@pytest.mark.parametrize(
    ("setting", "value"), [("reload", True), ("user", os.geteuid() + 1), ("group", os.getegid() + 1)]
)
def test_what_is_read_anew_or_is_anothers_is_made_by_each_worker(
    setting: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(server.FOLDER, str(tmp_path))
    config, made = Config(), []
    config.set(setting, value)
    server.on_starting(SimpleNamespace(cfg=config, app=SimpleNamespace(wsgi=lambda: made.append(1))))
    assert not made


def test_an_application_that_was_made_has_begun_nothing(tmp_path: Path) -> None:
    """Workers are forked from it: they would miss its threads."""
    code = (
        "import os, threading\n"
        "from hefesto_api.app import create_app\n"
        "app = create_app()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    ready = app.test_client().get('/readyz').status_code\n"
        "    os._exit(0 if ready == 200 else 1)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    environ = {"PATH": os.environ["PATH"], "HEFESTO_DATABASE_URL": f"sqlite:///{tmp_path}/h.db"}
    environ |= {"HEFESTO_AUTH": "required", "HEFESTO_SECRET_KEY": "the key of a test that is thrown away"}
    subprocess.run(
        [sys.executable, "-m", "hefesto_api", "db", "upgrade"], check=True, env=environ, cwd=tmp_path
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, cwd=tmp_path)
