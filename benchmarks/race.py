"""Races between a reader and someone who swaps directories and files for links to a secret.

Three readers take turns against the same swapper: ours (openat2, or component by component), and the usual
way of checking `realpath` and then opening by name. Prints attempts, refusals and leaks of each. Exit status:
0 ours leaked nothing, 1 it did, 3 the race cannot be had here (no renameat2).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.workspace import beneath
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET: Final = b"TOP-SECRET"
# `folder` changes places with a link to the secret's folder, `file.py` with a link to the secret.
TARGETS: Final = ("folder/data.py", "file.py")
_EXCHANGE: Final = 2
_HERE: Final = -100  # AT_FDCWD


class Outcome(Struct):
    """What one reader met: contents read, reads refused, secrets read."""

    reads: int = 0
    refusals: int = 0
    leaks: int = 0

    @property
    def attempts(self) -> int:
        """All that was tried."""
        return self.reads + self.refusals + self.leaks


def arena(folder: Path) -> Path:
    """Make a tree with two things to swap, and the secret beside it; return the tree."""
    root, outside = folder / "tree", folder / "outside"
    (root / "folder").mkdir(parents=True)
    outside.mkdir()
    (outside / "data.py").write_bytes(SECRET)
    (root / "folder" / "data.py").write_bytes(b"harmless")
    (root / "file.py").write_bytes(b"harmless")
    (root / "folder.link").symlink_to(outside)
    (root / "file.link").symlink_to(outside / "data.py")
    return root


@contextmanager
def swapper(root: Path) -> Iterator[None]:
    """Swap both for links and back, as fast as a process can, until the end of the block."""
    process = subprocess.Popen([sys.executable, "-P", __file__, "--swap", str(root)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        try:
            yield
        finally:
            process.kill()


def race(root: Path, read: Callable[[str], bytes], seconds: float) -> Outcome:
    """Read the targets in turn for some seconds, against a swapper that is at work."""
    outcome, end = Outcome(), time.monotonic() + seconds
    while time.monotonic() < end:
        for target in TARGETS:
            try:
                content = read(target)
            except OSError:
                outcome.refusals += 1
                continue
            outcome.leaks += SECRET in content
            outcome.reads += SECRET not in content
    return outcome


def reader(root: int, opener: Callable[[int, str, int], int]) -> Callable[[str], bytes]:
    """Return a reader that opens beneath the descriptor of a root."""

    def read(target: str) -> bytes:
        descriptor = opener(root, target, beneath.READ)
        try:
            return os.read(descriptor, 100)
        finally:
            os.close(descriptor)

    return read


def naive(root: Path) -> Callable[[str], bytes]:
    """Return a reader that checks where a name leads and then opens the name."""
    real_root = os.path.realpath(root)

    def read(target: str) -> bytes:
        path = os.path.join(real_root, target)  # noqa: PTH118 - as it is usually written
        if not os.path.realpath(path).startswith(real_root + os.sep):
            raise PermissionError(path)
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(100)

    return read


def can_swap() -> bool:
    """Tell whether this system can exchange two names in one step."""
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "renameat2")


def _swap(root: str) -> None:
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    os.chdir(root)
    print(flush=True)
    while True:
        for name, link in ((b"folder", b"folder.link"), (b"file.py", b"file.link")):
            exchange(_HERE, name, _HERE, link, _EXCHANGE)


def _compare(seconds: float, rounds: int) -> dict[str, Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        root = arena(Path(folder))
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        readers = {
            "ours, openat2": reader(descriptor, beneath.open_beneath),
            "ours, by components": reader(descriptor, beneath.open_by_components),
            "realpath, then open": naive(root),
        }
        totals = {name: Outcome() for name in readers}
        with swapper(root):
            for _ in range(rounds):
                for name, read in readers.items():
                    _add(totals[name], race(root, read, seconds / rounds))
        os.close(descriptor)
    return totals


def _add(total: Outcome, outcome: Outcome) -> None:
    total.reads += outcome.reads
    total.refusals += outcome.refusals
    total.leaks += outcome.leaks


def main() -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="for each reader (default 20)")
    parser.add_argument("--rounds", type=int, default=5, help="turns that the readers take (default 5)")
    parser.add_argument("--swap", metavar="ROOT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.swap:
        _swap(options.swap)
    if not can_swap():
        print("This system cannot exchange two names in one step: no race to be had.")
        return 3
    totals = _compare(options.seconds, options.rounds)
    print(f"{'':22}{'attempts':>12}{'read':>12}{'refused':>12}{'leaked':>12}")
    for name, outcome in totals.items():
        print(f"{name:22}{outcome.attempts:12,}{outcome.reads:12,}{outcome.refusals:12,}{outcome.leaks:12,}")
    return int(any(outcome.leaks for name, outcome in totals.items() if name.startswith("ours")))


if __name__ == "__main__":
    sys.exit(main())
