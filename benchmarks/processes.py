"""One command measured as a whole tree of processes: wall time, CPU and memory, from the kernel's books.

Memory is read from /proc twenty times a second: the sum over the tree of each process's proportional set
size (PSS: a page shared by n processes counts 1/n in each), or of its resident set where the kernel does not
let us read PSS. A peak shorter than the interval is missed, so the largest single process's `ru_maxrss`,
which the kernel keeps exactly, is reported beside it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTERVAL: Final = 0.05  # seconds between two looks at /proc
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
MB: Final = 1_000_000


class Usage(Struct, frozen=True):
    """What one run took: seconds, and megabytes of 10^6 bytes.

    `tree_mb` is the sampled peak of the whole tree, `process_mb` the kernel's figure for its largest process
    (which starts from the size of the benchmark itself, some 40 MB: it is forked from it).
    """

    wall: float
    cpu: float
    tree_mb: float
    process_mb: float
    samples: int
    status: int

    @property
    def peak_mb(self) -> float:
        """The larger of the two measures of memory, since either may be too low."""
        return max(self.tree_mb, self.process_mb)


class Failed(Exception):
    """A command did not end as it should; the message holds the end of what it printed."""


def measure(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: Path, timeout: float) -> Usage:
    """Run a command to its end and return what it took, CPU of all its waited-for descendants included.

    Standard input is empty, standard output goes to a file, standard error to one beside it. Raises Failed
    when it takes longer than `timeout` seconds; every process of its session is killed then.
    """
    log = stdout.with_name(stdout.name + ".err")
    with stdout.open("wb") as out, log.open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        sampler = _Sampler(process.pid, started + timeout)
        sampler.start()
        _, status, rusage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    sampler.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if sampler.expired:
        raise Failed(f"{argv[0]}: not done after {timeout:.0f} s")
    return Usage(
        wall=wall,
        cpu=rusage.ru_utime + rusage.ru_stime,
        tree_mb=sampler.peak / MB,
        process_mb=rusage.ru_maxrss * 1024 / MB,
        samples=sampler.samples,
        status=process.returncode,
    )


def errors(stdout: Path) -> str:
    """Return the end of what a command printed on standard error, for a message."""
    return stdout.with_name(stdout.name + ".err").read_text("utf-8", "replace").strip()[-500:]


class _Sampler(threading.Thread):
    """Looks at a tree of processes until told to stop, and ends the tree at the deadline."""

    def __init__(self, root: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.samples = 0
        self.expired = False
        self._root = root
        self._deadline = deadline
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self.peak = max(self.peak, sum(map(_memory, _tree(self._root))))
            self.samples += 1
            if time.perf_counter() > self._deadline and not self.expired:
                self.expired = True
                self._kill()
            self._over.wait(INTERVAL)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _kill(self) -> None:
        for pid in _tree(self._root):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tree(root: int) -> set[int]:
    """Return the processes of the session `root` leads, and all that descends from them."""
    parents: dict[int, int] = {}
    members: set[int] = set()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - twenty times a second: names are enough
        if entry.isdigit() and (fields := _stat(entry)):
            parents[int(entry)] = int(fields[1])
            if int(fields[3]) == root and fields[0] != "Z":
                members.add(int(entry))
    while grown := {pid for pid, parent in parents.items() if parent in members} - members:
        members |= grown
    return members


def _stat(pid: str) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: state, parent, group, session."""
    try:
        text = Path("/proc", pid, "stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _memory(pid: int) -> int:
    """Return a process's memory in bytes: PSS, else RSS, else 0 when it is gone."""
    try:
        for line in Path("/proc", str(pid), "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except PermissionError:
        with suppress(OSError):
            return int(Path("/proc", str(pid), "statm").read_text("ascii").split()[1]) * PAGE
    except OSError:
        pass
    return 0
