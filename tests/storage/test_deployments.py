"""Deployments: the same marker is one deployment, and what ran when is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import deployments, outbox, projects
from tests.storage.factories import THEN

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployments import DeploymentRecord

HOUR = timedelta(hours=1)


def _project(db: Database) -> str:
    with db.write() as session:
        return projects.ensure(session, "shop").id


def _deploy(
    db: Database,
    project: str,
    commit: str | None = None,
    at: datetime | None = THEN,
    *,
    environment: str | None = None,
    release: str | None = None,
) -> DeploymentRecord:
    with db.write() as session:
        return deployments.record(session, project, environment, commit, release, at, "test")


def test_what_runs_is_what_was_deployed_last_in_that_environment(db: Database) -> None:
    shop = _project(db)
    first = _deploy(db, shop, "a" * 40)
    second = _deploy(db, shop, "b" * 40, THEN + HOUR)
    staging = _deploy(db, shop, "c" * 40, THEN + 2 * HOUR, environment="staging")
    with db.read() as session:

        def running(moment: datetime, environment: str | None = "production") -> DeploymentRecord | None:
            return deployments.running_at(session, shop, environment, moment)

        assert running(THEN - HOUR) is None
        assert running(THEN) == first
        assert running(THEN + HOUR - timedelta(microseconds=1)) == first
        assert running(THEN + 3 * HOUR) == second
        assert running(THEN + 3 * HOUR, None) == second
        assert running(THEN + 3 * HOUR, "staging") == staging
        assert running(THEN + 3 * HOUR, "nowhere") is None
        assert deployments.previous(session, second) == first
        assert deployments.previous(session, first) is None
        assert deployments.previous(session, staging) is None
        assert deployments.following(session, first) == second
        assert deployments.following(session, second) is None


def test_without_production_any_environment_tells_what_runs(db: Database) -> None:
    shop = _project(db)
    made = _deploy(db, shop, "a" * 40, environment="eu-1")
    with db.read() as session:
        assert deployments.running_at(session, shop, None, THEN) == made
        assert deployments.running_at(session, shop, "production", THEN) is None


def test_a_marker_that_is_told_late_falls_into_its_place(db: Database) -> None:
    shop = _project(db)
    last = _deploy(db, shop, "b" * 40, THEN + 2 * HOUR)
    late = _deploy(db, shop, "a" * 40, THEN)
    with db.read() as session:
        assert deployments.previous(session, last) == late
        assert deployments.running_at(session, shop, "production", THEN + HOUR) == late


def test_the_same_marker_twice_is_one_deployment(db: Database) -> None:
    shop = _project(db)
    made = _deploy(db, shop, "a" * 40)
    assert _deploy(db, shop, "a" * 40).id == made.id
    assert _deploy(db, shop, "A" * 12, THEN + timedelta(minutes=4)).id == made.id
    assert _deploy(db, shop, "a" * 40, None).id == made.id  # without a time: what runs already
    assert _deploy(db, shop, "b" * 40).id != made.id
    with db.read() as session:
        assert deployments.count(session) == 2
        told = [event for event in outbox.after(session, 0) if event.type == "deployment.created"]
    assert [event.data["commit_hash"] for event in told] == ["a" * 40, "b" * 40]
    assert told[0].data["id"] == made.id


def test_going_back_to_a_revision_is_another_deployment(db: Database) -> None:
    shop = _project(db)
    minute = timedelta(minutes=1)
    first = _deploy(db, shop, "a" * 40)
    _deploy(db, shop, "b" * 40, THEN + minute)
    back = _deploy(db, shop, "a" * 40, THEN + 2 * minute)
    again = _deploy(db, shop, "a" * 40, THEN + 2 * HOUR)
    assert len({first.id, back.id, again.id}) == 3
    other_place = _deploy(db, shop, "a" * 40, environment="staging")
    assert other_place.id != first.id


def test_what_a_second_sender_knows_more_is_added(db: Database) -> None:
    shop = _project(db)
    by_release = _deploy(db, shop, release="shop@1.2")
    _deploy(db, shop, "a" * 40, release="shop@1.2")
    with db.read() as session:
        found = deployments.get(session, by_release.id)
        assert (found.commit_hash, found.release) == ("a" * 40, "shop@1.2")
        assert deployments.count(session) == 1


def test_a_release_leads_to_its_latest_deployment(db: Database) -> None:
    shop = _project(db)
    made = _deploy(db, shop, "a" * 40, release="1.2")
    newer = _deploy(db, shop, "a" * 40, THEN + HOUR, release="1.2", environment="staging")
    with db.read() as session:
        assert deployments.of_release(session, shop, "1.2") == newer
        assert deployments.of_release(session, shop, "1.2", "production") == made
        assert deployments.of_release(session, shop, "a" * 40, "production") == made
        assert deployments.of_release(session, shop, "9.9") is None


def test_lists_go_by_project_environment_and_time_at_any_depth(db: Database) -> None:
    shop = _project(db)
    with db.write() as session:
        other = projects.ensure(session, "other").id
    made = [_deploy(db, shop, f"{at:040x}", THEN + at * HOUR) for at in range(5)]
    _deploy(db, other, "f" * 40)
    with db.read() as session:
        found = deployments.page(session, limit=10, project_ids=[shop], environment="production")
        assert found == made[::-1]
        behind = deployments.page(
            session, limit=2, project_ids=[shop], before=(made[3].deployed_at, made[3].id)
        )
        assert behind == [made[2], made[1]]
        assert deployments.count(session, project_ids=[shop], since=THEN + 3 * HOUR) == 2
        assert deployments.page(session, limit=10, environment="staging") == []
        assert deployments.count(session) == 6


def test_each_verdict_is_given_once_and_the_next_one_is_awaited(db: Database) -> None:
    shop = _project(db)
    made = _deploy(db, shop, "a" * 40)
    now = clock.now()
    with db.write() as session:
        assert deployments.awaiting_verdict(session, THEN) == []
        assert [one.id for one in deployments.awaiting_verdict(session, THEN + HOUR)] == [made.id]
        verdict = deployments.VerdictRecord(made.id, 1, "healthy", 1, 0, 0, 3600, now)
        deployments.decide(session, made, verdict)
        deployments.decide(
            session, made, deployments.VerdictRecord(made.id, 1, "failing", 1, 9, 9, 3600, now)
        )
        assert deployments.verdicts(session, [made.id]) == {made.id: [verdict]}
        assert deployments.awaiting_verdict(session, THEN + 2 * HOUR) == []
        assert len(deployments.awaiting_verdict(session, THEN + 24 * HOUR)) == 1
        deployments.decide(
            session, made, deployments.VerdictRecord(made.id, 24, "healthy", 1, 0, 0, 86400, now)
        )
        assert deployments.awaiting_verdict(session, THEN + 999 * HOUR) == []


def test_an_unknown_deployment_is_not_found(db: Database) -> None:
    with db.read() as session, pytest.raises(NotFound):
        deployments.get(session, "nothing")
