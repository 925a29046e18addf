"""Why what is seen is a finding on record: written down where not everything about it is as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import identity
from hefesto_api.domain.lifecycle import TAKEN
from hefesto_api.storage import finding_links, finding_rules, findings

if TYPE_CHECKING:
    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.lifecycle import Absorbed, Sighting
    from hefesto_api.features.analysis.record import Writer


def tell_of(writer: Writer, path: str, sighting: Sighting, detection: Detection) -> None:
    """Write down the rule's new name, and the evidence if it was not the exact one.

    What the finding was known by until then is kept, for a person may know better and part the two.
    """
    known = sighting.known
    if known.rule_id != detection.rule_id:
        finding_rules.rename(writer.session, known.id, detection.rule_id)
        told = f"The rule {known.rule_id} is called {detection.rule_id} now."
        writer.history.append(event(writer, known.id, "rule_renamed", told))
    if sighting.how in identity.EVIDENCE:
        lines = f"line {known.line} is line {detection.line} now"
        told = f"Known again by {identity.EVIDENCE[sighting.how]}: {lines}."
        entry = event(writer, known.id, "recognized", told)
        place = {"how": sighting.how, "file_path": path, "from_line": known.line, "to_line": detection.line}
        former = {"from_function": known.symbol, "prints": findings.pack_prints(known.prints).hex()}
        writer.history.append(entry | {"data": entry["data"] | place | former})


def follow(writer: Writer, absorbed: Absorbed) -> None:
    """Note which places of a merge were seen, where that is not what is on record."""
    merged = absorbed.known.merged
    if merged is None or merged.place == absorbed.place:
        return
    left = findings.pack_prints(absorbed.left)
    if absorbed.place == TAKEN:
        finding_links.take(writer.session, merged.link, left)
    elif merged.place == TAKEN:
        finding_links.give_back(writer.session, merged.link, absorbed.known.id, left)
    else:
        finding_links.set_place(writer.session, merged.link, absorbed.place)


def event(writer: Writer, finding_id: str, action: str, details: str) -> dict[str, Any]:
    """Return an entry of a finding's history."""
    return {
        "finding_id": finding_id,
        "timestamp": writer.now,
        "action": action,
        "user": None,
        "details": details,
        "data": writer.source,
    }
