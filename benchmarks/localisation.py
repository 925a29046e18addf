"""How well a crash leads to the function that its fix changed: real cases, or seeded ones.

`python -m benchmarks.localisation CASES.jsonl` reads one case a line: `{id, traceback, truth: [{file,
functions}]}`, with `version` (of Django: its source release is fetched once) or `tree` (a folder), and
optionally `source` (texts of single files), `error_type`, `message` and `core`. The whole path is taken, from
the text to the ranking, and compared with the project's frames, innermost first.
A function is right if its file and its last name are, and its class where both names have one.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from hefesto_api.analyzers import facts
from hefesto_api.analyzers.structure import SUFFIXES
from hefesto_api.domain import traces
from hefesto_api.domain.correlation import gather, rank
from hefesto_api.domain.mapping import PathIndex, crash_of

from benchmarks.corpora import default_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation import Crash

Guess = tuple[str, str, float]
BINS: Final = 10


class Outcome(NamedTuple):
    """What came of a case: is each guessed function, each guessed file right; how sure the first was."""

    functions: list[bool]
    files: list[bool]
    confidence: float
    milliseconds: float
    core: bool


class Code:
    """Trees of code and the facts of their files, read once."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache / "localisation"
        self.indexes: dict[Path, PathIndex] = {}
        self.known: dict[tuple[str, bytes], FileFacts | None] = {}
        self.texts: dict[Path, dict[str, bytes]] = {}

    def of(self, case: dict[str, Any]) -> Path:
        """Return the folder of a case's code, fetching it if it is a release."""
        if "tree" in case:
            return Path(case["tree"]).expanduser()
        target = self.cache / f"django-{case['version']}"
        if not target.is_dir():
            _fetch(f"django=={case['version']}.*", target)
        return target

    def index(self, tree: Path) -> PathIndex:
        """Return the paths of a tree."""
        if tree not in self.indexes:
            files = (one for one in tree.rglob("*") if one.is_file())
            self.indexes[tree] = PathIndex(one.relative_to(tree).as_posix() for one in files)
        return self.indexes[tree]

    def naming(self, tree: Path, name: str) -> list[str]:
        """Return the files of a tree in which a name stands as a word."""
        if tree not in self.texts:
            code = (one for one in tree.rglob("*") if one.is_file() and one.suffix in SUFFIXES)
            self.texts[tree] = {one.relative_to(tree).as_posix(): one.read_bytes() for one in sorted(code)}
        wanted = re.compile(rb"\b%s\b" % re.escape(name.encode()))
        return [path for path, text in self.texts[tree].items() if wanted.search(text)]

    def facts_of(self, tree: Path, changed: dict[str, str]) -> Callable[[str], FileFacts | None]:
        """Return a reader of facts, for files some of which are not as they are in the tree."""

        def read(path: str) -> FileFacts | None:
            content = changed[path].encode() if path in changed else (tree / path).read_bytes()
            key = (path, content)
            if key not in self.known:
                self.known[key] = facts.extract(path, content)
            return self.known[key]

        return read


def _fetch(requirement: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, requirement, "--dest", work], check=True)
        with tarfile.open(next(Path(work).glob("*.tar.gz"))) as opened:
            opened.extractall(Path(work) / "tree", filter="data")
        (tree,) = (Path(work) / "tree").iterdir()
        tree.rename(target)


def crash_in(case: dict[str, Any], index: PathIndex) -> Crash:
    """Read a case's trace; where it does not say the error's type, the case does, as an alert would."""
    crash = crash_of(traces.parse(case["traceback"]), index)
    if crash.error_type is None and case.get("error_type"):
        crash = msgspec.structs.replace(
            crash, error_type=case["error_type"], error_message=case.get("message")
        )
    return crash


def innermost_first(crash: Crash, _: dict[str, FileFacts]) -> list[Guess]:
    """Guess as everybody does: the project's frames, the last one first."""
    return [
        (frame.project_path, frame.function or "", 0.0)
        for frame in reversed(crash.frames)
        if frame.project_path
    ]


def ours(crash: Crash, code: dict[str, FileFacts]) -> list[Guess]:
    """Guess by the ranking."""
    suspects = rank(crash, code).suspects
    return [(one.file_path, one.function_name, one.probability) for one in suspects]


def outcome(case: dict[str, Any], guesses: Sequence[Guess], milliseconds: float) -> Outcome:
    """Compare guesses with what the fix changed."""
    functions = list(dict.fromkeys((path, name) for path, name, _ in guesses))
    files = list(dict.fromkeys(path for path, _ in functions))
    truth = case["truth"]
    return Outcome(
        [any(is_right(path, name, one) for one in truth) for path, name in functions],
        [any(same_file(path, one["file"]) for one in truth) for path in files],
        guesses[0][2] if guesses else 0.0,
        milliseconds,
        bool(case.get("core", True)),
    )


def same_file(path: str, truth: str) -> bool:
    """Tell whether two paths are one, one of them perhaps from further out."""
    return path == truth or path.endswith(f"/{truth}") or ("/" in path and truth.endswith(f"/{path}"))


def is_right(path: str, name: str, truth: dict[str, Any]) -> bool:
    """Tell whether a guessed function is among those of a file that was changed."""
    mine = _parts(name)
    for one in truth["functions"] if same_file(path, truth["file"]) else ():
        theirs = _parts(one)
        both = min(len(mine), len(theirs), 2)
        if both and mine[-both:] == theirs[-both:]:
            return True
    return False


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("<locals>.", "").split(".") if part]


def line(title: str, right: Sequence[list[bool]]) -> str:
    """Return how often one of the first 1, 3, 5 was right, and the mean reciprocal rank."""
    hits = [sum(any(one[:most]) for one in right) for most in (1, 3, 5)]
    ranks = [next((1 / place for place, is_it in enumerate(one, 1) if is_it), 0.0) for one in right]
    shares = "  ".join(f"hit@{most} {hit:>3}" for most, hit in zip((1, 3, 5), hits, strict=True))
    return f"  {title:<10} {shares}  MRR {sum(ranks) / max(len(ranks), 1):.3f}"


def calibration(outcomes: Sequence[Outcome]) -> str:
    """Return how well the probabilities of the first guesses hold: Brier, base rate's Brier, ECE."""
    pairs = [(one.confidence, any(one.functions[:1])) for one in outcomes]
    count = max(len(pairs), 1)
    rate = sum(right for _, right in pairs) / count
    brier = sum((sure - right) ** 2 for sure, right in pairs) / count
    error = 0.0
    for part in range(BINS):
        within = [one for one in pairs if min(int(one[0] * BINS), BINS - 1) == part]
        error += abs(sum(sure for sure, _ in within) - sum(right for _, right in within)) / count
    return f"  Brier {brier:.3f} (always saying {rate:.2f}: {rate * (1 - rate):.3f})  ECE {error:.3f}"


def report(title: str, outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> None:
    """Print a group of cases."""
    print(f"{title}: {len(outcomes)} cases")
    print(line("functions", [one.functions for one in outcomes]))
    print(line("  innermost", [one.functions for one in base]))
    print(line("files", [one.files for one in outcomes]))
    print(line("  innermost", [one.files for one in base]))
    print(calibration(outcomes))
    times = sorted(one.milliseconds for one in outcomes)
    if times:
        print(f"  rank: median {times[len(times) // 2]:.1f} ms of processor time, most {times[-1]:.1f}")


def main() -> None:
    """Run all cases and print what came of them, next to the innermost frame first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--predictions", type=Path, help="write the guesses here, a line a case")
    options = parser.parse_args()
    code, mine, base, lines = Code(options.cache), [], [], []
    for text in options.cases.read_text().splitlines():
        case = json.loads(text)
        tree = code.of(case)
        index = code.index(tree)
        crash = crash_in(case, index)
        read = code.facts_of(tree, case.get("source", {}))
        known = gather(crash, read, index, find=partial(code.naming, tree))
        ours(crash, known)  # what is worked out once for a file is not measured
        began = time.process_time()
        guesses = ours(crash, known)
        mine.append(outcome(case, guesses, (time.process_time() - began) * 1000))
        base.append(outcome(case, innermost_first(crash, known), 0.0))
        ranked = [{"file": path, "function": name, "confidence": sure} for path, name, sure in guesses]
        lines.append(json.dumps({"id": case["id"], "ranked": ranked}))
    if options.predictions:
        options.predictions.write_text("".join(f"{one}\n" for one in lines))
    core = [at for at, one in enumerate(mine) if one.core]
    if len(core) < len(mine):
        report("core", [mine[at] for at in core], [base[at] for at in core])
    report("all", mine, base)


if __name__ == "__main__":
    main()
