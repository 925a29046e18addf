"""What an analysis does to the findings on record: new, seen again, come back, gone.

Pure: given what is known of one file and what is seen in it now, say what has to change. The rules are the
contract's: a scan touches nothing that a person set, closes only what it really looked for, and reopens
what was resolved and is there after all.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from hefesto_api.domain.finding import Detection, Status
from hefesto_api.domain.identity import Fingerprints, Known, Seen, match

SUPPRESSED = "suppressed_in_source"
FIXED = "fixed"
INCIDENT = "incident"  # of an open finding: an incident opened it, and no comment in the source closes that


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


class Sighting(NamedTuple):
    """A known finding seen again: the detection it is, the pass that says so, its status."""

    known: KnownFinding
    at: int
    how: str
    action: str | None  # None: nothing but another sighting; else regressed, suppressed, unsuppressed
    status: str
    reason: str | None


class Plan(NamedTuple):
    """What to write for one file: indexes of new detections, sightings, and findings that are gone."""

    created: list[int]
    seen: list[Sighting]
    gone: list[KnownFinding]


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
    matching = match([_known(finding) for finding in known], _seen(detections, prints))
    sightings = [
        _sighting(by_id[old], detections[int(new)], int(new), how) for old, new, how in matching.pairs
    ]
    gone = [by_id[key] for key in matching.gone if closes(by_id[key])]
    return Plan([int(key) for key in matching.fresh], sightings, gone)


def first_status(detection: Detection) -> tuple[str, str | None]:
    """Return the status and reason with which a finding starts."""
    if detection.suppression is not None:
        return Status.IGNORED.value, SUPPRESSED
    return Status.OPEN.value, None


def _known(finding: KnownFinding) -> Known:
    still_open = finding.status != Status.RESOLVED
    return Known(finding.id, finding.rule_id, finding.line, finding.symbol, finding.prints, still_open)


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
