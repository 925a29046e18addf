"""Whether findings stay what they are: edits of a real source tree, through the real engine and storage.

Moves must keep every finding's identity; pairs that are two findings must stay two; and from one release of
Django to the next, what stands in functions that did not change must keep its id.
Exit status: 0 the targets are met, 1 one is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import corpora, identity_moves
from benchmarks import identity_apart as apart
from benchmarks import identity_releases as releases
from benchmarks.identity_world import Place, Row, World, by_file, by_place, standing, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

APART: Final = 10_000  # pairs that must stay apart
KEPT_BETWEEN_RELEASES: Final = 0.995
_TELLING: Final = 2
_STATEMENT: Final = 6  # a longer span is a block, known by its first line


class Kept(NamedTuple):
    """What a move did: findings that are still seen at their place, those with another id, those not seen."""

    seen: int
    lost: list[Row]
    unseen: int


def moved_files(
    files: Mapping[str, str], rows: Sequence[Row], edit: identity_moves.Edit
) -> tuple[dict[str, str], Callable[[Row], Place]]:
    """Apply an edit to every file with findings; return the new files and where each finding should be."""
    changed = dict(files)
    at: dict[str, dict[int, int]] = {}
    for path, found in by_file(standing(rows)).items():
        tree = identity_moves.parse(files[path])
        if tree is not None:
            edited = edit(files[path], tree, [_span(row) for row in found])
            if identity_moves.parse(edited.text) is not None:
                changed[path], at[path] = edited
    return changed, lambda row: Place(row.path, row.rule, at.get(row.path, {}).get(row.line, row.line))


def compare(before: Sequence[Row], after: Sequence[Row], place: Callable[[Row], Place]) -> Kept:
    """Compare the ids at the place where each finding should be with those that it had."""
    now = by_place(standing(after))
    lost: list[Row] = []
    seen = unseen = 0
    for old in by_place(standing(before)).values():
        new = now.get(place(old[0]), [])
        seen += min(len(old), len(new))
        unseen += max(len(old) - len(new), 0)
        ids = [row.id for row in new]
        if len(old) == len(new):
            lost += [row for row, found in zip(old, ids, strict=True) if row.id != found]
        else:
            kept = sum(row.id in ids for row in old)
            lost += old[: min(len(old), len(new)) - kept]
    return Kept(seen, lost, unseen)


def moves(world: World, files: Mapping[str, str], rows: Sequence[Row]) -> Iterator[tuple[str, Kept]]:
    """Carry out every move on the whole tree; yield what became of the findings."""
    for name, edit in identity_moves.MOVES.items():
        changed, place = moved_files(files, rows, edit)
        yield name, _carried_out(world, changed, rows, place)
    changed, place = moved_files(files, rows, identity_moves.insert_above)
    yield "rules renamed, and lines inserted at the top", _carried_out(world, changed, rows, place, True)
    edited, place = moved_files(files, rows, identity_moves.insert_before_each)
    stay = {row: Place(row.path, row.rule, row.line) for row in rows}
    go = {row: place(row) for row in rows}
    yield "files renamed", _renamed(world, files, _other_name, stay)
    yield "files moved to another folder", _renamed(world, files, "elsewhere/{}".format, stay)
    # a file of a line or two has nothing to be known by when it is renamed and edited
    told = {path for path, text in files.items() if len(_significant(text)) > _TELLING}
    yield (
        "files renamed and edited at once",
        _renamed(world, edited, lambda path: _other_name(path) if path in told else path, go),
    )


def _significant(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip()}


def _renamed(
    world: World, files: Mapping[str, str], rename: Callable[[str], str], places: Mapping[Row, Place]
) -> Kept:
    """Rename every file that has a finding."""
    touched = {row.path for row in places}
    paths = {path: rename(path) if path in touched else path for path in files}
    renamed = {paths[path]: text for path, text in files.items()}
    return _carried_out(world, renamed, list(places), lambda row: places[row]._replace(path=paths[row.path]))


def _carried_out(
    world: World,
    changed: Mapping[str, str],
    rows: Sequence[Row],
    place: Callable[[Row], Place],
    rules_renamed: bool = False,
) -> Kept:
    world.restore("analysed")
    if rules_renamed:
        world.rename_rules()
    world.become(changed)
    return compare(rows, world.scan(), place)


def _span(row: Row) -> identity_moves.Span:
    last = max(row.end_line, row.line)
    statement = row.analyzer == "security" or last - row.line < _STATEMENT
    return identity_moves.Span(row.line, last if statement else row.line)


def _other_name(path: str) -> str:
    """Rename a file so that it stays test code, or not, and a package's file stays one."""
    folder, _, name = path.rpartition("/")
    if name in ("__init__.py", "__main__.py", "conftest.py", "tests.py", "test.py"):
        return f"{folder}_renamed/{name}" if folder else path
    return f"{folder}/{name.removesuffix('.py')}_renamed.py".lstrip("/")


def report_moves(results: Iterator[tuple[str, Kept]]) -> bool:
    """Print a line for each move; tell whether all identities were kept."""
    met = True
    for name, kept in results:
        share = 1 - len(kept.lost) / max(kept.seen, 1)
        print(f"  {name:40} kept {kept.seen - len(kept.lost):5} of {kept.seen:5} ({share:.3%})", end="")
        print(f"; {kept.unseen} not reported there any more" if kept.unseen else "", flush=True)
        for rule, count in Counter(row.rule for row in kept.lost).most_common(8):
            one = next(row for row in kept.lost if row.rule == rule)
            print(f"      lost {count:4} {rule}: {one.path}:{one.line} {one.symbol} {one.text.strip()[:60]}")
        met = met and not kept.lost
    return met


def judge_moves(world: World, options: argparse.Namespace) -> bool:
    """Print a line for each move; tell whether all identities were kept."""
    files = _corpus(options)
    world.restore("empty")
    world.become(files)
    rows = world.scan()
    world.save("analysed")
    print(f"{len(files)} files, {len(rows)} findings: moves that must keep their identity", flush=True)
    return report_moves(moves(world, files, rows))


def judge_pairs(world: World, options: argparse.Namespace) -> bool:
    """Print a line for each kind of pair; tell whether there are enough and none was merged."""
    print("pairs that must stay apart", flush=True)
    total = merged = 0
    for name, pairs, wrong in apart.pairs(world, _corpus(options), APART if not options.subset else 0):
        print(f"  {name:60} {pairs:6} pairs, {len(wrong)} merged", flush=True)
        for row in wrong[:5]:
            print(f"      {row.rule}: {row.path}:{row.line} {row.symbol} {row.text.strip()[:70]}")
        total += pairs
        merged += len(wrong)
    enough = bool(options.subset) or total >= APART
    print(f"  {total} pairs (wanted: {APART}), {merged} merged (wanted: 0)")
    return enough and not merged


def judge_releases(world: World, options: argparse.Namespace) -> bool:
    """Print a line for each step from release to release; tell whether enough kept their ids."""
    print("findings in functions whose text did not change, from release to release", flush=True)
    world.restore("empty")
    kept = total = 0
    for step in releases.steps(world, options.cache or corpora.default_cache()):
        kept += step.total - len(step.lost)
        total += step.total
        print(f"  {step.name:20} kept {step.total - len(step.lost)} of {step.total}", flush=True)
        for row, reason in step.lost:
            print(f"      {row.rule} {row.path}:{row.line} {row.symbol}: {reason}")
    print(f"  {kept / max(total, 1):.3%} (wanted: {KEPT_BETWEEN_RELEASES:.1%})")
    return kept >= KEPT_BETWEEN_RELEASES * total


def _corpus(options: argparse.Namespace) -> dict[str, str]:
    files = texts(corpora.corpus("django", options.cache))
    if options.subset:
        return dict(list(files.items())[:: max(len(files) // options.subset, 1)])
    return files


_PARTS: Final = {"moves": judge_moves, "apart": judge_pairs, "releases": judge_releases}


def main() -> int:
    """Run what is asked for, print it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}; default: all")
    parser.add_argument("--cache", type=Path, help=f"default: {corpora.default_cache()}")
    parser.add_argument("--subset", type=int, help="take that many files, evenly spread")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    began = time.monotonic()
    met = True
    with tempfile.TemporaryDirectory(prefix="hefesto-identity-") as folder:
        world = World(Path(folder), options.processes)
        try:
            for part in options.parts or _PARTS:
                met = _PARTS[part](world, options) and met
        finally:
            world.close()
    print(f"{'met' if met else 'MISSED'} after {time.monotonic() - began:.0f} s")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
