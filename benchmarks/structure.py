"""The structure pass beside lizard: files a second, and the functions each of them finds.

    python -m benchmarks.structure python=DIRECTORY go=DIRECTORY ... [--show 20]

Times are CPU seconds of one process, files read beforehand. A function is found by both when name and place
agree; the first of those only one has are listed, for a person to judge against the text. Exit status 1 when
a count is further than `--tolerance` from lizard's.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lizard
from hefesto_api.analyzers import structure
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hefesto_api.domain.structure import FileStructure

Place = tuple[str, int, int, str]  # path, first line, last line, last part of the name


class Comparison(Struct):
    """Both counts for one tree, the seconds they took, and what only one of them has."""

    language: str
    files: int
    failed: int  # files that lizard fails on: left out of both counts
    ours: int
    theirs: int
    our_seconds: float
    parse_seconds: float
    their_seconds: float
    only_ours: list[Place]
    only_theirs: list[Place]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare each tree and print a table and the differences."""
    options = parser().parse_args(arguments)
    found = [compare(*pair.split("=", 1)) for pair in options.trees]
    print(
        "| language | files | files/s | parse alone | lizard files/s | lizard fails | ours | lizard | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for one in found:
        print(row(one))
    for one in found:
        for title, places in (("ours", one.only_ours), ("lizard", one.only_theirs)):
            print(f"\n{one.language}, only in {title}: {len(places)}")
            for path, first, _, name in every(places, options.show):
                print(f"  {path}:{first} {name}")
    return int(any(abs(one.ours / max(one.theirs, 1) - 1) > options.tolerance for one in found))


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("trees", nargs="+", metavar="LANGUAGE=PATH")
    result.add_argument("--show", type=int, default=20, help="differences listed for each side")
    result.add_argument("--tolerance", type=float, default=0.02)
    return result


def row(one: Comparison) -> str:
    """Return one line of the table."""
    cells = (
        one.language,
        f"{one.files:,}",
        f"{one.files / one.our_seconds:,.0f}",
        f"{one.files / one.parse_seconds:,.0f}",
        f"{one.files / one.their_seconds:,.0f}",
        f"{one.failed:,}",
        f"{one.ours:,}",
        f"{one.theirs:,}",
        f"{one.ours / max(one.theirs, 1):.3f}",
    )
    return f"| {' | '.join(cells)} |"


def every(places: list[Place], wanted: int) -> Iterable[Place]:
    """Return that many, spread over all: the first ones are often of one file."""
    return places[:: max(1, len(places) // wanted)][:wanted] if wanted else ()


def compare(language: str, tree: str) -> Comparison:
    """Run both over one tree, ours first."""
    files = {path: path.read_bytes() for path in sources(language, Path(tree))}
    began = time.process_time()
    for content in files.values():
        structure.parse(language, content)
    parsed = time.process_time()
    ours = {path: extracted(language, content) for path, content in files.items()}
    extracted_all = time.process_time()
    theirs = {path: by_lizard(path, content) for path, content in files.items()}
    ended = time.process_time()
    ours_places = {path: list(our_places(path, tree, shape)) for path, shape in ours.items()}
    theirs_places = {
        path: list(lizard_places(path, tree, found)) for path, found in theirs.items() if found is not None
    }
    differences = [unmatched(ours_places[path], theirs_places[path]) for path in theirs_places]
    return Comparison(
        language=language,
        files=len(files),
        ours=sum(len(ours_places[path]) for path in theirs_places),
        failed=len(files) - len(theirs_places),
        theirs=sum(map(len, theirs_places.values())),
        our_seconds=extracted_all - parsed,
        parse_seconds=parsed - began,
        their_seconds=ended - extracted_all,
        only_ours=[place for ours_only, _ in differences for place in ours_only],
        only_theirs=[place for _, theirs_only in differences for place in theirs_only],
    )


def sources(language: str, tree: Path) -> list[Path]:
    """Return the tree's files of a language, declarations of TypeScript left out: they hold no code."""
    paths = sorted(path for path in tree.rglob("*") if structure.language_of(path.name) == language)
    return [path for path in paths if path.is_file() and not path.name.endswith(".d.ts")]


def extracted(language: str, content: bytes) -> FileStructure:
    """Parse and extract."""
    return structure.extract(language, content, structure.parse(language, content))


def by_lizard(path: Path, content: bytes) -> list[Any] | None:
    """Return lizard's functions of a file, None when lizard fails on it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = content.decode("utf-8-sig", "replace")
        try:
            found = lizard.analyze_file.analyze_source_code(str(path), text)
        except (IndexError, AttributeError, KeyError, TypeError, RecursionError):
            return None
    return list(found.function_list)


def our_places(path: Path, tree: str, shape: FileStructure) -> Iterator[Place]:
    """Return where our functions are."""
    name = path.relative_to(tree).as_posix()
    for function in shape.functions:
        yield name, function.start_line, function.end_line, function.name


def lizard_places(path: Path, tree: str, functions: list[Any]) -> Iterator[Place]:
    """Return where lizard's functions are."""
    name = path.relative_to(tree).as_posix()
    for found in functions:
        last = found.name.replace("::", ".").rpartition(".")[2]
        yield name, found.start_line, found.end_line, "<anonymous>" if last == "(anonymous)" else last


def unmatched(ours: list[Place], theirs: list[Place]) -> tuple[list[Place], list[Place]]:
    """Return what only one side has: pairs of a name first, then any that share their lines."""
    ours_left, theirs_left = pair(ours, theirs, lambda one: (one[3],))
    ours_left, theirs_left = pair(ours_left, theirs_left, lambda one: (one[1], one[2]))
    return pair(ours_left, theirs_left, lambda one: (one[1],))


def pair(ours: list[Place], theirs: list[Place], key: Any) -> tuple[list[Place], list[Place]]:
    """Pair off places with the same key, the ones nearest to each other first."""
    waiting = defaultdict(list)
    for place in theirs:
        waiting[key(place)].append(place)
    left = []
    for place in ours:
        rivals = [other for other in waiting[key(place)] if place[1] <= other[1] <= place[2]]
        if rivals:
            waiting[key(place)].remove(min(rivals, key=lambda other: other[1] - place[1]))
        else:
            left.append(place)
    return left, [place for places in waiting.values() for place in places]


if __name__ == "__main__":
    sys.exit(main())
