"""What an analysis does to the findings on record: new, seen again, come back, gone.

Pure: given what is known of one file and what is seen in it now, say what has to change. The rules are the
contract's: a scan touches nothing that a person set, closes only what it really looked for, and reopens
what was resolved and is there after all. What people said of which findings are one (`Merged`, `Apart`)
holds before what the code says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from hefesto_api.domain.finding import Detection, Status
from hefesto_api.domain.identity import Fingerprints, Known, Seen, match, telling_apart

SUPPRESSED = "suppressed_in_source"
FIXED = "fixed"
INCIDENT = "incident"  # of an open finding: an incident opened it, and no comment in the source closes that
MERGED = "merged"  # evidence: the place is that of a finding which was merged into this one
OWN, BOTH, TAKEN = "own", "both", "taken"  # of two that are one: which places were seen last


class Merged(NamedTuple):
    """That a finding is another one: which, by what link, and OWN, BOTH or TAKEN.

    `prints` are what that other one is known by at its own place; once it has TAKEN this one's, this one's
    row stands for that place.
    """

    into: str
    link: int
    place: str
    prints: Fingerprints


class Apart(NamedTuple):
    """That a finding is never another one: which, and the prints of that when it was said."""

    other: str
    prints: Fingerprints


class KnownFinding(Struct, frozen=True):
    """A finding on record, as far as an analysis needs it. `reason` is a person's, or one of those above."""

    id: str
    rule_id: str
    analyzer: str
    branch: str
    line: int
    symbol: str | None
    status: str
    reason: str | None
    prints: Fingerprints
    merged: Merged | None = None
    apart: tuple[Apart, ...] = ()


class Sighting(NamedTuple):
    """A known finding seen again: the detection it is, the pass that says so, its status."""

    known: KnownFinding
    at: int
    how: str
    action: str | None  # None: nothing but another sighting; else regressed, suppressed, unsuppressed
    status: str
    reason: str | None


class Absorbed(NamedTuple):
    """What became of the place of a finding that is another one.

    `place` is what holds from now on, `at` the detection that is there (if any), `left` what the finding
    that remains was known by until now.
    """

    known: KnownFinding
    at: int | None
    place: str
    left: Fingerprints


class Plan(NamedTuple):
    """What to write for one file: indexes of new detections, sightings, what is gone, merged ones."""

    created: list[int]
    seen: list[Sighting]
    gone: list[KnownFinding]
    absorbed: Sequence[Absorbed] = ()


_Sightings = dict[str, tuple[int, str]]


def plan(
    known: Sequence[KnownFinding],
    detections: Sequence[Detection],
    prints: Sequence[Fingerprints],
    closes: Callable[[KnownFinding], bool],
) -> Plan:
    """Compare what is known of a file with what is seen; `closes` says whether a finding was looked for."""
    if not known:
        return Plan(list(range(len(detections))), [], [])
    by_id = {finding.id: finding for finding in known}
    matching = match([_known(finding, by_id) for finding in known], _seen(detections, prints))
    pairs = {old: (int(new), how) for old, new, how in matching.pairs}
    seen = _as_one(pairs, by_id)
    sightings = [_sighting(by_id[key], detections[at], at, how) for key, (at, how) in seen.items()]
    gone = [one for key in matching.gone if _remaining(one := by_id[key], by_id) is one and key not in seen]
    absorbed = [_absorbed(one, by_id, pairs, seen, closes) for one in known if one.merged is not None]
    return Plan(
        [int(key) for key in matching.fresh],
        sightings,
        [one for one in gone if closes(one)],
        [one for one in absorbed if one is not None],
    )


def first_status(detection: Detection) -> tuple[str, str | None]:
    """Return the status and reason with which a finding starts."""
    if detection.suppression is not None:
        return Status.IGNORED.value, SUPPRESSED
    return Status.OPEN.value, None


def _as_one(pairs: Mapping[str, tuple[int, str]], by_id: Mapping[str, KnownFinding]) -> _Sightings:
    """Return one sighting for each finding that remains: at its own place, else at one merged into it."""
    seen: _Sightings = {}
    for key, found in pairs.items():
        if _remaining(by_id[key], by_id).id == key:
            seen[key] = found
    for key, (at, _) in pairs.items():
        seen.setdefault(_remaining(by_id[key], by_id).id, (at, MERGED))
    return seen


def _remaining(finding: KnownFinding, by_id: Mapping[str, KnownFinding]) -> KnownFinding:
    """Return the finding that one is by now; one whose other half is not on record stands for itself."""
    while finding.merged is not None and finding.merged.into in by_id:
        finding = by_id[finding.merged.into]
    return finding


def _absorbed(
    finding: KnownFinding,
    by_id: Mapping[str, KnownFinding],
    pairs: Mapping[str, tuple[int, str]],
    seen: _Sightings,
    closes: Callable[[KnownFinding], bool],
) -> Absorbed | None:
    """Say what became of the place of a merged finding; None when that is as it was."""
    remains = _remaining(finding, by_id)
    if remains is finding or finding.merged is None:
        return None
    found = pairs.get(finding.id)
    takes = found is not None and seen[remains.id] == (found[0], MERGED)
    if finding.merged.place == TAKEN:  # what was found is at the place that the remaining one had before
        return Absorbed(finding, None, OWN, remains.prints) if takes else None
    if found is not None:
        return Absorbed(finding, found[0], TAKEN if takes else BOTH, remains.prints)
    if finding.merged.place == BOTH and closes(remains):
        return Absorbed(finding, None, OWN, remains.prints)
    return None


def _known(finding: KnownFinding, by_id: Mapping[str, KnownFinding]) -> Known:
    remains = _remaining(finding, by_id)
    standing = remains.status != Status.RESOLVED
    if remains is not finding:  # a place that was not seen any more is like one that was resolved
        standing = standing and finding.merged is not None and finding.merged.place == BOTH
    prints = finding.prints
    if finding.merged is not None and finding.merged.place == TAKEN:
        prints = finding.merged.prints
    others = [apart.prints for apart in finding.apart]
    others += [by_id[apart.other].prints for apart in finding.apart if apart.other in by_id]
    prints = telling_apart(prints, others) if others else prints
    return Known(finding.id, finding.rule_id, finding.line, finding.symbol, prints, standing)


def _seen(detections: Sequence[Detection], prints: Sequence[Fingerprints]) -> list[Seen]:
    return [
        Seen(index, one.rule_id, one.line, one.symbol, mark)
        for index, (one, mark) in enumerate(zip(detections, prints, strict=True))
    ]


def _sighting(known: KnownFinding, detection: Detection, at: int, how: str) -> Sighting:
    """Decide what a sighting does to the status: only what the source or an earlier scan had set changes."""
    if known.status == Status.RESOLVED:
        status, reason = first_status(detection)
        return Sighting(known, at, how, "regressed", status, reason)
    if detection.suppression is not None and known.status == Status.OPEN and known.reason != INCIDENT:
        return Sighting(known, at, how, "suppressed", Status.IGNORED.value, SUPPRESSED)
    if detection.suppression is None and known.reason == SUPPRESSED:
        return Sighting(known, at, how, "unsuppressed", Status.OPEN.value, None)
    return Sighting(known, at, how, None, known.status, known.reason)
