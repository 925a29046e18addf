"""Alerts are counted while they last, told once, and over when those who sent them or people say so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.alert import AlertState, IncomingAlert
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.domain.grouping import Grouped, Traits
from hefesto_api.storage import alert_changes, alert_deliveries, alert_history, alerts, outbox, projects
from tests.storage.factories import THEN

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.storage.alerts import AlertRecord, Recorded
    from hefesto_api.storage.database import Database

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def project(db: Database, slug: str = "shop") -> str:
    with db.write() as session:
        return projects.ensure(session, slug).id


def incoming(alert_id: str = "a1", **fields: Any) -> IncomingAlert:
    return IncomingAlert(**{"alert_id": alert_id, "source": "native", "timestamp": THEN, **fields})


def record(
    db: Database, shop: str, one: IncomingAlert, fingerprint: str = "f", now: datetime | None = None
) -> Recorded:
    with db.write() as session:
        return alerts.record(session, shop, one, fingerprint, now=now)


def get(db: Database, alert_id: str) -> AlertRecord:
    with db.read() as session:
        return alerts.get(session, alert_id)


def end(db: Database, shop: str, one: IncomingAlert, fingerprint: str = "f") -> str | None:
    with db.write() as session:
        return alert_changes.end(session, shop, one, Grouped(fingerprint, Traits()))


def resolve(db: Database, alert_id: str) -> bool:
    with db.write() as session:
        return alert_changes.resolve(session, alert_id, "ann")


def events(db: Database) -> list[tuple[str, dict[str, Any]]]:
    with db.read() as session:
        return [(event.type, event.data) for event in outbox.after(session, 0)]


def test_what_is_told_of_an_alert_is_kept(db: Database) -> None:
    shop = project(db)
    told = incoming(
        error_type="KeyError",
        error_message="'uid'",
        severity=Severity.HIGH,
        service_name="web",
        environment="production",
        release="shop@1",
        commit_hash="a" * 40,
        affected_users=2**40,
        group_id="g",
        stacktrace="Traceback",
        metadata={"region": "eu"},
    )
    made = record(db, shop, told)
    assert made.is_new
    kept = get(db, made.alert_id)
    assert (kept.status, kept.occurrence_count) == ("pending", 1)
    assert (kept.alert_id, kept.source, kept.fingerprint) == ("a1", "native", "f")
    assert (kept.severity, kept.error_type, kept.message) == ("HIGH", "KeyError", "'uid'")
    assert (kept.first_seen, kept.last_seen) == (THEN, THEN)
    assert (kept.affected_users, kept.metadata) == (2**40, {"region": "eu"})


def test_the_first_message_is_kept_whole(db: Database) -> None:
    told = incoming(stacktrace="Traceback", group_id="g", metadata={"deep": [{"a": 1}]})
    assert get(db, record(db, project(db), told).alert_id).received() == told


def test_the_same_cause_while_it_lasts_is_one_alert(db: Database) -> None:
    shop = project(db)
    first = record(db, shop, incoming("a1", severity=Severity.LOW, affected_users=9, release="1"))
    later = incoming("a2", timestamp=THEN + HOUR, severity=Severity.HIGH, affected_users=3, release="2")
    second = record(db, shop, later)
    assert (second.alert_id, second.is_new, second.is_repeat_delivery) == (first.alert_id, False, False)
    earlier = record(db, shop, incoming("a3", timestamp=THEN - HOUR, severity=Severity.MEDIUM))
    assert earlier.alert_id == first.alert_id
    kept = get(db, first.alert_id)
    assert kept.occurrence_count == 3
    assert (kept.first_seen, kept.last_seen) == (THEN - HOUR, THEN + HOUR)
    assert (kept.severity, kept.affected_users, kept.release) == ("HIGH", 9, "2")
    assert [name for name, _ in events(db)] == ["alert.created"]


def test_other_causes_and_other_projects_have_alerts_of_their_own(db: Database) -> None:
    shop, pay = project(db), project(db, "pay")
    made = [record(db, shop, incoming("a1")), record(db, shop, incoming("a2"), "other")]
    made.append(record(db, pay, incoming("a1")))
    assert len({one.alert_id for one in made}) == 3
    assert all(one.is_new for one in made)


def test_the_same_message_twice_is_counted_once(db: Database) -> None:
    shop = project(db)
    first = record(db, shop, incoming())
    again = record(db, shop, incoming())
    assert (again.alert_id, again.is_repeat_delivery, again.is_new) == (first.alert_id, True, False)
    assert get(db, first.alert_id).occurrence_count == 1
    resolve(db, first.alert_id)
    assert record(db, shop, incoming()).is_repeat_delivery  # a late replay opens nothing


def test_a_message_without_a_time_is_news_after_some_minutes(db: Database) -> None:
    shop = project(db)
    untimed = incoming(timestamp=None)
    first = record(db, shop, untimed, now=THEN)
    assert record(db, shop, untimed, now=THEN + MINUTE).is_repeat_delivery
    later = record(db, shop, untimed, now=THEN + HOUR)
    assert (later.alert_id, later.is_repeat_delivery) == (first.alert_id, False)
    assert record(db, shop, untimed, now=THEN + HOUR + MINUTE).is_repeat_delivery
    assert get(db, first.alert_id).occurrence_count == 2


def test_what_a_person_resolved_and_still_goes_on_is_told_anew(db: Database) -> None:
    shop = project(db)
    first = record(db, shop, incoming(), now=THEN)
    resolve(db, first.alert_id)
    again = record(db, shop, incoming(), now=THEN + 2 * HOUR)
    assert again.is_new
    assert again.is_regression


def test_over_a_resolved_alert_a_new_one_begins(db: Database) -> None:
    shop = project(db)
    first = record(db, shop, incoming("a1"))
    resolve(db, first.alert_id)
    second = record(db, shop, incoming("a2", timestamp=THEN + HOUR))
    assert second.is_new
    assert second.is_regression
    assert not first.is_regression
    assert get(db, second.alert_id).regression_of == first.alert_id
    assert get(db, first.alert_id).occurrence_count == 1
    with db.read() as session:
        assert [entry.action for entry in alert_history.of(session, second.alert_id)] == ["regressed"]


def test_times_to_come_are_now(db: Database) -> None:
    now = clock.now()
    kept = get(db, record(db, project(db), incoming(timestamp=now + HOUR), now=now).alert_id)
    assert kept.last_seen == now


def test_the_end_of_a_group_resolves_its_alert(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming("a1", group_id="g"))
    over = incoming("a1", group_id="g", state=AlertState.RESOLVED, timestamp=THEN + HOUR)
    assert end(db, shop, over) == made.alert_id
    kept = get(db, made.alert_id)
    assert (kept.status, kept.resolved_at, kept.resolved_by) == ("resolved", THEN + HOUR, None)
    assert end(db, shop, over) is None  # told again


def test_an_alert_of_several_groups_is_over_with_the_last_of_them(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming("a1", group_id="g1"))
    assert record(db, shop, incoming("a2", group_id="g2")).alert_id == made.alert_id
    assert end(db, shop, incoming("a1", group_id="g1", state=AlertState.RESOLVED)) is None
    assert get(db, made.alert_id).status == "pending"
    assert end(db, shop, incoming("a2", group_id="g2", state=AlertState.RESOLVED)) == made.alert_id


def test_the_end_of_a_former_time_does_not_end_this_one(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming("a1", group_id="g", timestamp=THEN + HOUR))
    late = incoming("a1", group_id="g", state=AlertState.RESOLVED, timestamp=THEN + MINUTE)
    assert end(db, shop, late) is None
    assert get(db, made.alert_id).status == "pending"


def test_without_a_group_the_alerts_id_or_its_cause_says_what_is_over(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming("a1"))
    record(db, shop, incoming("a2", timestamp=THEN + MINUTE))
    over = incoming("a2", state=AlertState.RESOLVED, timestamp=THEN + HOUR)
    assert end(db, shop, over, "another") == made.alert_id
    second = record(db, shop, incoming("a3", timestamp=THEN + 2 * HOUR))
    unknown = incoming("a9", state=AlertState.RESOLVED, timestamp=THEN + 3 * HOUR)
    assert end(db, shop, unknown, "another") is None
    assert end(db, shop, unknown, "f") == second.alert_id


def test_the_end_of_another_projects_alert_ends_nothing_here(db: Database) -> None:
    shop, pay = project(db), project(db, "pay")
    record(db, shop, incoming("a1", group_id="g"))
    record(db, shop, incoming("b1"), "h")
    assert end(db, pay, incoming("a1", group_id="g", state=AlertState.RESOLVED)) is None
    assert end(db, pay, incoming("b1", state=AlertState.RESOLVED), "h") is None


def test_acknowledging_is_done_once_and_not_over_an_end(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming())
    with db.write() as session:
        assert alert_changes.acknowledge(session, made.alert_id, "ann", "mine")
        assert not alert_changes.acknowledge(session, made.alert_id, "bob")
    kept = get(db, made.alert_id)
    assert (kept.status, kept.acknowledged_by, kept.comment) == ("acknowledged", "ann", "mine")
    assert record(db, shop, incoming("a2")).alert_id == made.alert_id  # counted, and still acknowledged
    assert get(db, made.alert_id).status == "acknowledged"
    assert resolve(db, made.alert_id)
    assert not resolve(db, made.alert_id)
    with db.write() as session:
        assert not alert_changes.acknowledge(session, made.alert_id, "bob")
    with db.read() as session:
        told = alert_history.of(session, made.alert_id)
    assert [(entry.action, entry.user) for entry in told] == [
        ("created", None),
        ("acknowledged", "ann"),
        ("resolved", "ann"),
    ]


def test_unknown_alerts_are_not_found(db: Database) -> None:
    with db.read() as session, pytest.raises(NotFound):
        alerts.get(session, "nothing")


def test_what_was_told_long_ago_is_forgotten(db: Database) -> None:
    shop = project(db)
    record(db, shop, incoming("a1"), now=THEN)
    record(db, shop, incoming("a2"), now=THEN + HOUR)
    with db.write() as session:
        assert alert_deliveries.purge(session, THEN + MINUTE) == 1
    assert not record(db, shop, incoming("a1")).is_repeat_delivery
    assert record(db, shop, incoming("a2"), now=THEN + HOUR).is_repeat_delivery


def test_alerts_go_with_their_project(db: Database) -> None:
    shop = project(db)
    made = record(db, shop, incoming(group_id="g"))
    with db.write() as session:
        projects.delete(session, shop)
    with db.read() as session, pytest.raises(NotFound):
        alerts.get(session, made.alert_id)


def repeats(db: Database) -> list[int]:
    """Return how often the alert had occurred by each event about a further occurrence."""
    return [data["occurrence_count"] for kind, data in events(db) if kind == "alert.repeated"]


def test_further_occurrences_are_told_once_a_second_at_most(db: Database) -> None:
    shop = project(db)
    for number in range(100):  # one every 50 ms
        record(db, shop, incoming(f"a{number}"), now=THEN + timedelta(milliseconds=50 * number))
    assert events(db)[0][0] == "alert.created"
    assert repeats(db) == [21, 41, 61, 81]
    record(db, shop, incoming("later"), now=THEN + HOUR)
    assert repeats(db)[-1] == 101


def test_a_storm_within_one_moment_or_transaction_is_one_event(db: Database) -> None:
    shop = project(db)
    record(db, shop, incoming("a0"), now=THEN)
    with db.write() as session:
        told = [
            alerts.record(session, shop, incoming(f"b{number}"), "f", now=THEN + MINUTE).is_told
            for number in range(20)
        ]
    assert told == [True] + [False] * 19
    assert len(repeats(db)) == 1


def test_another_alert_is_told_of_beside_a_storm(db: Database) -> None:
    shop = project(db)
    for fingerprint in ("f", "g"):
        record(db, shop, incoming(f"{fingerprint}0"), fingerprint, now=THEN)
        record(db, shop, incoming(f"{fingerprint}1"), fingerprint, now=THEN + MINUTE)
    assert repeats(db) == [2, 2]


def test_a_clock_that_was_put_back_silences_nothing(db: Database) -> None:
    shop = project(db)
    for number, moment in enumerate((THEN + HOUR, THEN, THEN + timedelta(seconds=2))):
        record(db, shop, incoming(f"a{number}", timestamp=None), now=moment)
    assert repeats(db) == [2, 3]


def test_a_repeated_delivery_is_no_occurrence_to_tell_of(db: Database) -> None:
    shop = project(db)
    for _ in range(2):
        record(db, shop, incoming(), now=THEN)
    record(db, shop, incoming(), now=THEN + MINUTE)
    assert repeats(db) == []
