"""From one release of Django to the next: what stands in functions that did not change, and its ids."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import identity_moves as edits
from benchmarks.identity_world import Row, World, standing, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RELEASES: Final = ("5.0", "5.1", "5.2")


class Step(NamedTuple):
    """From one release to the next: how many findings should have kept their id, and those that did not."""

    name: str
    total: int
    lost: list[tuple[Row, str]]


class Home(NamedTuple):
    """A function with one text, by path and name; `offset` counts lines from its first."""

    path: str
    name: str
    body: str


def steps(world: World, cache: Path) -> Iterator[Step]:
    """Analyse the releases one after the other as one project; yield each step."""
    before: list[Row] = []
    files: dict[str, str] = {}
    for at, release in enumerate(RELEASES):
        former, files = files, texts(source(release, cache))
        world.become(files)
        after = world.scan()
        if at:
            yield _compare(
                f"{RELEASES[at - 1]} -> {release}", (former, before), (files, standing(after)), after
            )
        before = standing(after)


def source(release: str, cache: Path) -> Path:
    """Return the folder of a release's source, fetched the first time; raises CalledProcessError."""
    folder = cache / "corpora"
    folder.mkdir(parents=True, exist_ok=True)
    if known := sorted(folder.glob(f"[dD]jango-{release}*/")):
        return known[-1]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, f"django=={release}.*", "--dest", work], check=True)
        with tarfile.open(next(Path(work).glob("*.tar.gz"))) as opened:
            opened.extractall(Path(work, "tree"), filter="data")
        (tree,) = Path(work, "tree").iterdir()
        return tree.rename(folder / tree.name)


def _compare(
    name: str,
    old: tuple[Mapping[str, str], Sequence[Row]],
    new: tuple[Mapping[str, str], Sequence[Row]],
    everything: Sequence[Row],
) -> Step:
    """Pair the findings of unchanged functions by where they stand in them, and compare the ids."""
    were, are = _placed(*old), _placed(*new)
    fate = {row.id: row for row in everything}
    lost: list[tuple[Row, str]] = []
    total = 0
    for place in were.keys() & are.keys():
        one, other = were[place], are[place]
        if len(one) == len(other):
            total += len(one)
            lost += [
                (row, _reason(fate[row.id], found, old[0], new[0]))
                for row, found in zip(one, other, strict=True)
                if row.id != found.id
            ]
    return Step(name, total, sorted(lost, key=lambda each: each[0][1:3]))


def _placed(files: Mapping[str, str], rows: Sequence[Row]) -> dict[tuple[Home, str, int], list[Row]]:
    """Return findings by function, rule and line within it; functions of one text alone."""
    homes: dict[str, list[tuple[int, int, Home]]] = defaultdict(list)
    for path in {row.path for row in rows}:
        tree = edits.parse(files[path]) if path in files else None
        for name, spans in (edits.functions(files[path], tree) if tree else {}).items():
            if len(spans) == 1:
                first, last, body = spans[0]
                homes[path].append((first, last, Home(path, name, body)))
    placed: dict[tuple[Home, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        around = [each for each in homes[row.path] if each[0] <= row.line <= each[1]]
        if around:
            first, _, home = max(around, key=lambda each: each[0])
            placed[home, row.rule, row.line - first].append(row)
    return placed


def _reason(now: Row, found: Row, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Say why a finding has another id."""
    fate = "resolved" if now.status == "resolved" else f"seen at {now.path}:{now.line}"
    changed = "the file changed" if old[found.path] != new[found.path] else "the file is as it was"
    return f"{fate}; a new one stands at line {found.line}; {changed}"
