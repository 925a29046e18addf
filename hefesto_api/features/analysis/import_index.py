"""Which results of a report are in which file: a few bytes for each result, none of its text."""

from __future__ import annotations

from array import array
from collections import defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain.identity import fingerprints
from hefesto_api.formats.sarif import Located
from hefesto_api.storage.base import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.identity import Fingerprints
    from hefesto_api.formats.sarif import Imported, Refused, RunReader

    Seen = list[tuple[Detection, Fingerprints]]

OUR_NAME = "hefesto"  # of our own findings; a report that says it is ours is still another's word
REFUSED_SHOWN = 100


class RefusedResults:
    """The results that were not taken: how many, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[Refused] = []

    def add(self, one: Refused) -> None:
        """Count one in."""
        self.count += 1
        if self.count <= REFUSED_SHOWN:
            self.shown.append(one)


class Index:
    """What the runs of one tool looked at and found, by file.

    `rules` and `looked_at` hold, for each run, the rules it had and the files it looked at.
    """

    def __init__(self, tool: str, runs: Sequence[RunReader], refused: RefusedResults) -> None:
        """Read each result once; raises Invalid or MalformedRequest for the first that is none."""
        self.tool = tool
        self.runs = runs
        self.rules = [set(run.rule_ids) for run in runs]
        self.looked_at = [{clean(path) for path in run.paths} for run in runs]
        self._found: dict[str, array[int]] = defaultdict(lambda: array("L"))
        for at, run in enumerate(runs):
            for one in run.located():
                if isinstance(one, Located):
                    self._add(at, one)
                else:
                    refused.add(one)

    @property
    def found(self) -> Sequence[str]:
        """The files in which something was found, sorted."""
        return sorted(self._found)

    @property
    def paths(self) -> set[str]:
        """All files that were looked at."""
        return set(self._found).union(*self.looked_at)

    def results_in(self, path: str) -> int:
        """Return the number of results in a file."""
        return len(self._found[path]) // 2 if path in self._found else 0

    def seen_in(self, path: str) -> Seen:
        """Return what was found in a file with its fingerprints; the same said twice counts once."""
        found: dict[tuple[Any, ...], Imported] = {}
        pairs = iter(self._found.get(path, ()))
        for at, number in zip(pairs, pairs, strict=True):
            one = self.runs[at].imported(number, path)
            seen = one.detection
            place = (seen.rule_id, seen.line, seen.column, seen.end_line, seen.end_column, seen.message)
            found.setdefault(place, one)
        return _described(list(found.values()))

    def _add(self, at: int, one: Located) -> None:
        path = clean(one.path)
        self._found[path].extend((at, one.number))
        self.looked_at[at].add(path)
        self.rules[at].add(one.rule_id)


def indexes(runs: Sequence[RunReader], refused: RefusedResults) -> list[Index]:
    """Return an index for each tool of a report, in the order in which they come."""
    by_tool: dict[str, list[RunReader]] = {}
    for run in runs:
        by_tool.setdefault(_name(run.tool), []).append(run)
    return [Index(tool, of_tool, refused) for tool, of_tool in by_tool.items()]


def staged(
    index: Index, emptied: Sequence[str], *, files: int, results: Callable[[], int]
) -> Iterator[list[tuple[str, Seen]]]:
    """Group files so that the transaction that writes a group stays short; `emptied` hold nothing now.

    A group is at most `files`, and as many `results` as are wanted by then, but for a single larger file.
    """
    stage: list[tuple[str, Seen]] = []
    weight = 0
    for path in (*index.found, *emptied):
        coming = index.results_in(path)
        if stage and (len(stage) >= files or weight + coming > results()):
            yield stage
            stage, weight = [], 0
        stage.append((path, index.seen_in(path)))
        weight += coming
    if stage:
        yield stage


def _described(found: Sequence[Imported]) -> Seen:
    """Pair each detection with its fingerprints: where the tool gives some, they are the exact one."""
    detections = [_renamed(one.detection) for one in found]
    return [
        (detection, _identified(one, detection, mark))
        for one, detection, mark in zip(found, detections, fingerprints(detections, ()), strict=True)
    ]


def _identified(one: Imported, detection: Detection, mark: Fingerprints) -> Fingerprints:
    """Put the tool's own fingerprints, where it gives some, in the place of the exact one."""
    if not one.fingerprints:
        return mark
    stated = repr((detection.rule_id, sorted(one.fingerprints.items())))
    digest = blake2b(stated.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return structs.replace(mark, exact=digest)


def _renamed(detection: Detection) -> Detection:
    name = _name(detection.tool)
    return detection if name == detection.tool else structs.replace(detection, tool=name)


def _name(tool: str) -> str:
    return tool.capitalize() if tool == OUR_NAME else tool
