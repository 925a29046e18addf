"""What an analysis may do to the findings on record, and what it may not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hefesto_api.domain import lifecycle
from hefesto_api.domain.finding import Detection, Group, Severity, Suppression
from hefesto_api.domain.identity import fingerprints
from hefesto_api.domain.lifecycle import FIXED, SUPPRESSED, KnownFinding

LINES = ["def pay(order):", "    total = order.total", "    charge(total)", "    return total"]


def detection(line: int = 3, suppressed: bool = False) -> Detection:
    return Detection(
        rule_id="HEF-SEC-TEST",
        analyzer=Group.SECURITY,
        tool="hefesto",
        severity=Severity.HIGH,
        confidence=0.9,
        line=line,
        end_line=line,
        message="charged twice",
        line_text=LINES[line - 1],
        symbol="pay",
        suppression=Suppression("hefesto", line, "known") if suppressed else None,
    )


def known(status: str = "open", reason: str | None = None, branch: str = "") -> KnownFinding:
    seen = detection()
    prints = fingerprints([seen], LINES)[0]
    return KnownFinding("f1", seen.rule_id, "security", branch, 3, "pay", status, reason, prints)


def plan(
    on_record: Sequence[KnownFinding], seen: Sequence[Detection], looked_for: bool = True
) -> lifecycle.Plan:
    return lifecycle.plan(on_record, seen, fingerprints(seen, LINES), lambda finding: looked_for)


def test_what_nobody_knew_is_created() -> None:
    outcome = plan([], [detection()])
    assert outcome.created == [0]
    assert not outcome.seen
    assert not outcome.gone


@pytest.mark.parametrize("status", ["open", "acknowledged", "ignored", "wontfix"])
def test_seeing_it_again_leaves_what_a_person_set(status: str) -> None:
    (sighting,) = plan([known(status, "accepted_risk")], [detection()]).seen
    assert sighting.action is None
    assert (sighting.status, sighting.reason) == (status, "accepted_risk")


@pytest.mark.parametrize("reason", [FIXED, "false_positive", None])
def test_what_was_resolved_and_is_there_after_all_regresses(reason: str | None) -> None:
    (sighting,) = plan([known("resolved", reason)], [detection()]).seen
    assert (sighting.action, sighting.status) == ("regressed", "open")


def test_not_seeing_it_resolves_it_only_where_it_was_looked_for() -> None:
    assert [finding.id for finding in plan([known()], []).gone] == ["f1"]
    assert plan([known()], [], looked_for=False).gone == []


def test_what_is_resolved_already_does_not_go_again() -> None:
    assert plan([known("resolved", FIXED)], []).gone == []


def test_a_comment_in_the_source_ignores_and_its_going_opens() -> None:
    (sighting,) = plan([known()], [detection(suppressed=True)]).seen
    assert (sighting.action, sighting.status, sighting.reason) == ("suppressed", "ignored", SUPPRESSED)
    (sighting,) = plan([known("ignored", SUPPRESSED)], [detection()]).seen
    assert (sighting.action, sighting.status, sighting.reason) == ("unsuppressed", "open", None)


def test_a_comment_in_the_source_does_not_overrule_a_person() -> None:
    (sighting,) = plan([known("acknowledged")], [detection(suppressed=True)]).seen
    assert sighting.action is None
    assert sighting.status == "acknowledged"


def test_a_person_who_ignored_it_is_not_overruled_when_there_is_no_comment() -> None:
    (sighting,) = plan([known("ignored", "false_positive")], [detection()]).seen
    assert sighting.action is None


def test_a_finding_starts_open_or_as_the_source_says() -> None:
    assert lifecycle.first_status(detection()) == ("open", None)
    assert lifecycle.first_status(detection(suppressed=True)) == ("ignored", SUPPRESSED)
