"""The parts of an analysis that nothing can avoid, each alone: what the whole cannot be faster than.

`python -m benchmarks.limits PART TREE` runs one part in a process a core: `read` reads and hashes every
Python file, `parse` does that and parses it, `structure` does that and extracts functions and metrics.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tree_sitter
import tree_sitter_python

from benchmarks.corpora import python_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STRUCTURE: Final = "hefesto_api.analyzers.structure"


def cores() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0))


def contention() -> float:
    """Return how many times longer than alone a loop takes on each core now: 1 on a machine at rest.

    Above 1 other work shares the cores, and tools that use several of them lose more than those that use one.
    """
    with ProcessPoolExecutor(cores()) as pool:
        return max(pool.map(_burn, [0.5] * cores()))


def busy_seconds() -> float:
    """Return the CPU seconds that everything on this machine has taken since it started."""
    fields = Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, interrupts, soft, stolen = map(int, fields[:8])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _burn(seconds: float) -> float:
    started = time.perf_counter()
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return (time.perf_counter() - started) / seconds


def available() -> list[str]:
    """Return the parts that can be measured with what is installed, each including the ones before it."""
    return [part for part in PARTS if part != "structure" or _exists(STRUCTURE)]


def ruff_rules() -> tuple[str, str]:
    """Return what our catalogue selects of ruff, comma separated, and what to call it in a report."""
    if not _exists("hefesto_api.analyzers.catalogue"):
        return "S,B,C901", "ruff, rules S,B,C901"
    rules: Mapping[str, Any] = importlib.import_module("hefesto_api.analyzers.catalogue").RULES
    sources = (source for rule in rules.values() for source in rule.sources)
    codes = sorted(code for tool, _, code in (s.partition(":") for s in sources) if tool == "ruff")
    return ",".join(codes), f"ruff, our {len(codes)} rules"


def ruff(tree: Path) -> list[str]:
    """Return the command of ruff with our selection."""
    module = [str(Path(sys.executable).with_name("ruff")), "check", "--isolated", "--no-cache"]
    options = ["--ignore-noqa", "--preview", "--exit-zero", "--output-format", "json-lines"]
    return [*module, *options, "--select", ruff_rules()[0], str(tree)]


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _read(paths: Sequence[Path]) -> None:
    for path in paths:
        hashlib.sha256(path.read_bytes()).digest()


def _parse(paths: Sequence[Path]) -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    for path in paths:
        content = path.read_bytes()
        hashlib.sha256(content).digest()
        parser.parse(content)


def _structure(paths: Sequence[Path]) -> None:
    structure = importlib.import_module(STRUCTURE)
    for path in paths:
        content = path.read_bytes()
        hashlib.sha256(content).digest()
        structure.extract("python", content, structure.parse("python", content))


PARTS: Final[Mapping[str, Callable[[Sequence[Path]], None]]] = {
    "read": _read,
    "parse": _parse,
    "structure": _structure,
}


def main() -> None:
    """Run one part over a tree, in as many processes as there are processors."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("tree", type=Path)
    options = parser.parse_args()
    files = python_files(options.tree)
    with ProcessPoolExecutor(cores()) as pool:
        # small shares, dealt round robin: the large files of one folder do not all fall to one process
        list(pool.map(PARTS[options.part], [files[n::64] for n in range(64)]))


if __name__ == "__main__":
    main()
