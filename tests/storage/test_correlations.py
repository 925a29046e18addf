"""What is kept of correlations: who was named, which incidents that makes, what goes after a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hefesto_api.domain import clock, ids
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.correlation import Learned, Tally
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import (
    alerts,
    code_facts,
    correlation_inputs,
    correlations,
    learning,
    projects,
    upkeep,
)
from hefesto_api.storage.correlations import CorrelationRecord, Named
from hefesto_api.storage.learning import RULE, SIGNAL, Count, Feedback
from tests.storage.factories import finding

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

PLACE = Named("a.py", "f", 0.8)


def _alert(session: Session, project_id: str, name: str = "crash") -> str:
    incoming = IncomingAlert(alert_id=name, source="native", error_type=None)
    return alerts.record(session, project_id, incoming, name).alert_id


def _correlation(project_id: str, alert_id: str, made_at: datetime | None = None) -> CorrelationRecord:
    return CorrelationRecord(
        id=ids.new_id(), project_id=project_id, alert_id=alert_id, created_at=made_at or clock.now(),
        error_type="KeyError", commit_hash=None, confidence_score=0.5, correlation_found=False,
        model_version="1", answer=b"{}", inputs=correlations.packed(b"{}"),
    )  # fmt: skip


def test_the_latest_correlation_says_which_findings_an_alert_is_an_incident_of(db: Database) -> None:
    with db.write() as session:
        shop = projects.ensure(session, "shop").id
        first, second = finding(session, shop), finding(session, shop)
        alert = _alert(session, shop)
        made = [_correlation(shop, alert) for _ in range(2)]
        correlations.record(session, made[0], findings=[(first.id, 0.9), (second.id, 0.3)])
        correlations.record(session, made[1], findings=[(second.id, 0.6), (ids.new_id(), 0.9)])
    with db.read() as session:
        assert correlations.incidents_of(session, first.id) == []
        told = correlations.incidents_of(session, second.id)
        assert [(one["id"], one["correlation_id"], one["match_confidence"]) for one in told] == [
            (alert, made[1].id, 0.6)
        ]
        assert isinstance(told[0]["first_seen"], str)
        kept = alerts.get(session, alert)
        assert (kept.correlation_id, kept.error_type) == (made[1].id, "KeyError")
        with pytest.raises(NotFound):
            correlations.get(session, ids.new_id())


def test_an_alert_is_no_evidence_for_itself(db: Database) -> None:
    with db.write() as session:
        shop = projects.ensure(session, "shop").id
        one, other = _alert(session, shop, "one"), _alert(session, shop, "other")
        weak = Named("a.py", "g", 0.3)
        correlations.record(session, _correlation(shop, one), functions=[PLACE, weak])
        correlations.record(session, _correlation(shop, other), functions=[PLACE])
    with db.read() as session:
        found = correlation_inputs.known_incidents(session, shop, ["a.py", "b.py"], one)
        assert [(incident.function_name, incident.error_type) for incident in found] == [("f", "KeyError")]
        assert len(correlation_inputs.known_incidents(session, shop, ["a.py"])) == 2
        assert correlation_inputs.known_incidents(session, shop, ["b.py"]) == []


def test_what_a_person_judged_outlives_the_next_correlation(db: Database) -> None:
    with db.write() as session:
        shop = projects.ensure(session, "shop").id
        alert = _alert(session, shop)
        made = _correlation(shop, alert)
        correlations.record(session, made, functions=[PLACE, Named("a.py", "g", 0.1)])
        correlations.judge(session, made, Named("a.py", "g", 0.1), confirmed=True)
        correlations.judge(session, made, PLACE, confirmed=False)
        correlations.record(session, _correlation(shop, alert), functions=[Named("b.py", "h", 0.9)])
        found = correlation_inputs.known_incidents(session, shop, ["a.py", "b.py"])
        judged = {incident.function_name: incident.confirmed for incident in found}
        assert judged == {"g": True, "f": False, "h": None}
        correlations.judge(session, made, PLACE, confirmed=None)
        found = correlation_inputs.known_incidents(session, shop, ["a.py"])
        assert {incident.function_name: incident.confirmed for incident in found} == {"g": True, "f": None}


def test_lessons_add_up_for_the_project_and_for_everybody(db: Database) -> None:
    with db.write() as session:
        shop, other = (projects.ensure(session, slug).id for slug in ("shop", "other"))
        lesson = [Count(SIGNAL, "in the trace", 1, 0), Count(RULE, "eval|KeyError", 0, 1)]
        learning.add(session, shop, lesson)
        learning.add(session, shop, lesson)
        learning.add(session, other, lesson[:1])
        mine = learning.learned(session, shop)
        assert mine == Learned(
            signals={"in the trace": Tally(3, 0)},
            rules={"eval|KeyError": Tally(0, 2)},
            project_signals={"in the trace": Tally(2, 0)},
            project_rules={"eval|KeyError": Tally(0, 2)},
        )
        assert learning.adjusted(mine, lesson, sign=-1).project_rules == {"eval|KeyError": Tally(0, 1)}
        learning.add(session, shop, lesson, sign=-1)
        assert learning.learned(session, shop).project_signals == {"in the trace": Tally(1, 0)}
        assert learning.learned(session, other).project_signals == {"in the trace": Tally(1, 0)}


def test_upkeep_keeps_the_latest_and_the_judged(db: Database) -> None:
    long_ago = clock.now() - timedelta(days=100)
    with db.write() as session:
        shop = projects.ensure(session, "shop").id
        alert = _alert(session, shop)
        gone, judged, latest = (_correlation(shop, alert, long_ago) for _ in range(3))
        for one in (gone, judged, latest):
            correlations.record(session, one)
        said = Feedback(judged.id, "none", shop, "confirmed", None, "me", long_ago, long_ago, [], False, b"")
        learning.keep(session, said)
        code_facts.keep(session, "1", [(("old", ".py"), b"facts")])
        session.execute(code_facts.code_facts.update().values(kept_at=long_ago))
        code_facts.keep(session, "1", [(("new", ".py"), b"facts")])
    upkeep.run(db)
    with db.read() as session:
        left = {one.id for one in correlations.page(session, limit=10)}
        assert left == {judged.id, latest.id}
        assert set(code_facts.lookup(session, "1", [("old", ".py"), ("new", ".py")])) == {("new", ".py")}


def test_facts_are_of_a_content_a_kind_of_file_and_a_version(db: Database) -> None:
    with db.write() as session:
        code_facts.keep(session, "1", [(("a", ".py"), b"first"), (("a", ".js"), b"second")])
        code_facts.keep(session, "1", [(("a", ".py"), b"again")])
        assert code_facts.lookup(session, "1", [("a", ".py"), ("b", ".py")]) == {("a", ".py"): b"first"}
        assert code_facts.lookup(session, "2", [("a", ".py")]) == {}
        assert code_facts.lookup(session, "1", []) == {}
