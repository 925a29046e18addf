"""The supervisor: parts are started, watched, started again and ended with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hefesto_api import serve, settings
from hefesto_api.serve import Part

SLEEPER = "import time\nwhile True: time.sleep(0.05)"


def part(name: str, code: str, *, vital: bool = False) -> Part:
    return Part(name, [sys.executable, "-c", code], vital)


def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def interrupt_when(happened: Callable[[], bool]) -> threading.Thread:
    """Send this process the signal that ends the service, once something has happened."""

    def wait_and_interrupt() -> None:
        until(happened)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait_and_interrupt, daemon=True)
    thread.start()
    return thread


def test_the_end_of_a_vital_part_ends_the_service_with_its_status() -> None:
    status = serve.supervise([part("web", "raise SystemExit(3)", vital=True)], os.environ)
    assert status == 3


def test_a_signal_ends_every_part(tmp_path: Path) -> None:
    code = (
        f"import os, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n{SLEEPER}"
    )
    noted = tmp_path / "pid"
    interrupt_when(lambda: noted.exists() and noted.read_text() != "")
    assert serve.supervise([part("web", code, vital=True)], os.environ) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def test_a_worker_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "RESTART_SECONDS", (0.01, 0.02))
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x')"
    interrupt_when(lambda: runs.exists() and len(runs.read_text()) >= 3)
    wanted = [part("web", SLEEPER, vital=True), part("worker", code)]
    assert serve.supervise(wanted, os.environ) == 0
    assert len(runs.read_text()) >= 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_parts_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    child = f"import os, pathlib; pathlib.Path({str(noted)!r}).write_text(str(os.getpid()))\n{SLEEPER}"
    program = (
        "import os, sys\nfrom hefesto_api import serve\n"
        f"serve.supervise([serve.Part('web', [sys.executable, '-c', {child!r}], True)], os.environ)"
    )
    supervisor = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
    until(lambda: noted.exists() and noted.read_text() != "")
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    until(lambda: not _lives(int(noted.read_text())))


def test_the_web_command_binds_what_it_is_told(tmp_path: Path) -> None:
    chosen = settings.load({"HEFESTO_WORKERS": "3", "HEFESTO_THREADS": "5"}, tmp_path)
    argv = serve.web_argv(chosen, host="::1", port=8081)
    assert argv[argv.index("--bind") + 1] == "[::1]:8081"
    assert argv[argv.index("--workers") + 1] == "3"
    assert argv[argv.index("--threads") + 1] == "5"


def test_the_worker_is_a_part_unless_it_runs_elsewhere(tmp_path: Path) -> None:
    chosen = settings.load({}, tmp_path)

    def names(*, worker: bool) -> list[str]:
        wanted = serve.parts(chosen, host="127.0.0.1", port=8080, worker=worker, reload=False)
        return [one.name for one in wanted]

    assert names(worker=True) == ["web", "worker"]
    assert names(worker=False) == ["web"]


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
