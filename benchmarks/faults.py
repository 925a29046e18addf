"""Hard faults under the running service: a disk that is full or read-only, a damaged page, a jumping clock.

    python -m benchmarks.faults [full] [frozen] [read-only] [damaged] [clock] [--seconds 6]

Starts `hefesto serve` with two web processes and a worker on a small disk of its own, its log and its
temporary files there too, and asks it for writes and reads of several kinds before, in and after the fault.
Whatever is not done must be refused with 503 and the reason, never with 500; whatever was acknowledged must
be there in the end; and when the disk is well again the service must be, without a restart. Exit status 1
otherwise. Needs root (mounts) on Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults_asking import Asked, Asking, plainly
from benchmarks.faults_clock import clock
from benchmarks.faults_damage import damaged
from benchmarks.faults_world import MEGABYTE, disk, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.service import Service

RECOVERY = 15.0  # seconds after which a service that is not well again counts as stuck


def main() -> int:
    """Run the faults that were asked for and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faults", nargs="*", choices=[*FAULTS, []], help="all of them, if none is named")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each fault lasts")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: the disks of this benchmark are mounted, which takes root")
        return 0
    wrong: list[str] = []
    for name in asked.faults or FAULTS:
        print(f"\n{name}: {FAULTS[name].__doc__}")
        wrong += [f"{name}: {one}" for one in FAULTS[name](asked.seconds)]
    print("\nrefused clearly, nothing acknowledged falsely, well again" if not wrong else "\n".join(wrong))
    return 1 if wrong else 0


def full(seconds: float) -> list[str]:
    """The disk fills up to the last byte, and has room again later."""
    with disk("tmpfs") as folder, served(folder) as service:
        filler = folder / "filler"

        def end() -> None:
            filler.unlink()

        return through(service, lambda: _fill(filler), end, seconds, {"disk_full", "io_error"})


def frozen(seconds: float) -> list[str]:
    """The database's files cannot be written for a while (chattr +i)."""
    with disk("ext4") as folder, served(folder) as service:

        def held(flag: str) -> None:
            # Not the index of the WAL: the kernel kills whoever writes to a mapped page of an immutable file.
            files = [str(path) for path in sorted(folder.glob("hefesto.db*")) if path.suffix != ".db-shm"]
            subprocess.run(["chattr", flag, *files], check=True)

        reasons = {"read_only", "io_error", "unreachable"}
        return through(service, lambda: held("+i"), lambda: held("-i"), seconds, reasons)


def read_only(seconds: float) -> list[str]:
    """The kernel turns the file system read-only, as after an error; all must end for its repair."""
    with disk("ext4") as folder, served(folder) as service:
        image = folder.with_suffix(".img")
        device = _device(folder)

        def begin() -> None:
            Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("planted")

        def end() -> None:
            service.stop()  # a file system that failed is mounted anew when nobody has a file of it open
            subprocess.run(["umount", str(folder)], check=True)
            with contextlib.suppress(subprocess.CalledProcessError):  # 1: repaired
                subprocess.run(["e2fsck", "-fy", str(image)], check=True, capture_output=True)
            subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
            service.start()

        return through(service, begin, end, seconds, {"read_only", "io_error", "unreachable"})


FAULTS: dict[str, Callable[[float], list[str]]] = {
    "full": full,
    "frozen": frozen,
    "read-only": read_only,
    "damaged": damaged,
    "clock": clock,
}


def through(
    service: Service,
    begin: Callable[[], None],
    end: Callable[[], None],
    seconds: float,
    reasons: set[str],
) -> list[str]:
    """Ask before, in and after a fault; return what was wrong."""
    asking = Asking(service)
    before = asking.for_a_while(2.0)
    begin()
    during = asking.for_a_while(seconds)
    health = plainly(service, "GET", "/health/deep")
    end()
    began = time.monotonic()  # a service that is stopped for the repair is ready by now
    while not asking.all_take_writes() and time.monotonic() - began < RECOVERY:
        time.sleep(0.05)
    recovered = time.monotonic() - began
    after = asking.for_a_while(2.0)
    lost = asking.lost()
    for name, told in (("before", before), ("in it", during), ("after", after)):
        print(f"  {name:7} {told}")
    parts = {name: health.told("checks", name, "status") for name in ("database", "disk")}
    print(f"  /health/deep in it: {health.status} {health.told('status')} {parts}")
    print(
        f"  writes taken again {recovered:.2f} s after; "
        f"acknowledged {len(asking.acknowledged)}, lost {len(lost)}"
    )
    return [
        *_wrong("before", before, set()),
        *_wrong("in it", during, reasons),
        *_wrong("after", after, set()),
        *([] if during.refused else ["nothing was refused: the fault did not happen"]),
        *([f"not well again after {recovered:.0f} s"] if recovered >= RECOVERY else []),
        *(f"acknowledged and lost: {one}" for one in lost[:5]),
    ]


def _wrong(name: str, told: Asked, reasons: set[str]) -> Iterator[str]:
    for (kind, status, reason), count in sorted(told.answers.items()):
        refused = status == 503 and reason in reasons and kind != "read"
        if not (status < 300 or refused):
            yield f"{name}: {count} times {kind} was answered {status} {reason}"


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass


def _device(folder: Path) -> str:
    for line in Path("/proc/mounts").read_text().splitlines():
        device, place, *_ = line.split()
        if place == str(folder):
            return device
    raise SystemExit(f"nothing is mounted at {folder}")


if __name__ == "__main__":
    sys.exit(main())
