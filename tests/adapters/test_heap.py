"""However many threads a process has, they share two heaps of the C library."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
from hefesto_api.adapters import heap
from tests import memory

HEAPS = """
import ctypes, sys, threading
from hefesto_api.adapters import heap
from tests import memory
if sys.argv[2] == "share":
    assert heap.share() is (sys.argv[3] == "told")
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
libc.fclose.argtypes, libc.malloc_info.argtypes = [ctypes.c_void_p], [ctypes.c_int, ctypes.c_void_p]
together = threading.Barrier(6)
def use():
    together.wait()
    libc.malloc(5000)
    together.wait()
threads = [threading.Thread(target=use) for _ in range(6)]
[one.start() for one in threads]
[one.join() for one in threads]
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""

pytestmark = memory.needs_glibc


def heaps(folder: Path, *words: str, **variables: str) -> int:
    """Return how many heaps a process of six threads has."""
    about = folder / "heaps.xml"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    subprocess.run([sys.executable, "-c", HEAPS, str(about), *words], env=environ | variables, check=True)
    return about.read_text().count("<heap nr=")


def test_threads_share_two_heaps(tmp_path: Path) -> None:
    assert heaps(tmp_path, "alone") > 2
    assert heaps(tmp_path, "share", "told") <= 2


def test_the_operators_word_counts(tmp_path: Path) -> None:
    assert 1 < heaps(tmp_path, "share", "", MALLOC_ARENA_MAX="4") <= 4


def test_what_is_kept_takes_no_more_than_it_is_long() -> None:
    written = orjson.dumps(["x" * 50] * 200)
    assert memory.taken(written) > 2 * len(written), "it fits already: nobody needs `fitted` any more"
    assert heap.fitted(written) == written
    assert memory.taken(heap.fitted(written)) < 1.1 * len(written)
