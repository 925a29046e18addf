"""What followed a deployment, what it took away, what it touched and how risky it looked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.features.deployments import risk, schemas
from hefesto_api.storage import projects
from hefesto_api.storage.correlations import alert_suspects
from tests.access import make_key
from tests.answers import data_of, error_of
from tests.features.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.features.conftest import Service

URL = "/api/v1/deployments"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, at which nothing happens in the background."""
    return make_service(db_url)


def _deploy(service: Service, commit: str, at: datetime | None, **more: Any) -> Any:
    wanted = {"project": "shop", "commit_hash": commit, "deployed_at": at and at.isoformat(), **more}
    answer = service.client.post(URL, json=wanted)
    assert answer.status_code == 201, answer.get_json()
    return data_of(answer)


def _alert(service: Service, name: str, at: datetime, severity: str = "high", **more: Any) -> str:
    sent = {"alert_id": f"{name} {at}", "project": "shop", "title": name, "group_id": name}
    sent |= {"severity": severity, "timestamp": at.isoformat(), **more}
    answer = service.client.post("/api/v1/alerts", json=sent)
    assert answer.status_code in (200, 201), answer.get_json()
    return str(data_of(answer)["id"])


def test_alerts_are_told_apart_by_whether_they_began_before(shop: Service) -> None:
    now = clock.now()
    _deploy(shop, "a" * 40, now - 5 * HOUR)
    made = _deploy(shop, "b" * 40, now - HOUR)
    _alert(shop, "known", now - 90 * MINUTE)
    known = _alert(shop, "known", now - 30 * MINUTE)
    fresh = _alert(shop, "fresh", now - 20 * MINUTE, "critical")
    _alert(shop, "fresh", now - 10 * MINUTE, "critical")
    _alert(shop, "elsewhere", now - 20 * MINUTE, environment="staging")
    with shop.runtime.db.write() as session:
        project_id = projects.ensure(session, "shop").id
        row = {"alert_id": fresh, "project_id": project_id, "error_type": None, "seen_at": now}
        rows = [
            {**row, "file_path": "cart.py", "function_name": name, "probability": share, "confirmed": said}
            for name, share, said in (("total", 0.2, None), ("price", 0.7, None), ("load", 0.9, False))
        ]
        session.execute(alert_suspects.insert(), rows)
    told = shop.get(f"/deployments/{made['id']}/impact")
    assert schemas.DeploymentImpactSchema().validate(told) == {}
    assert [(one["id"], one["is_new"]) for one in told["alerts"]] == [(fresh, True), (known, False)]
    assert told["alerts"][0]["suspect"] == {
        "file_path": "cart.py",
        "function_name": "price",
        "probability": 0.7,
    }
    assert told["alerts"][1]["suspect"] is None
    counted = ("alerts_before", "alerts_after", "new_alerts", "new_by_severity")
    assert [told[name] for name in counted] == [1, 2, 1, {"CRITICAL": 1}]
    assert 3600 <= told["window_seconds"] < 3700
    assert sum(one["known"] for one in told["buckets"]) == 2
    assert sum(one["new"] for one in told["buckets"]) == 2
    assert [one["commit_hash"][0] for one in told["deployments"]] == ["a", "b"]
    (listed, _) = shop.get("/deployments")["deployments"]
    assert {name: listed["impact"][name] for name in counted} == {name: told[name] for name in counted}
    assert "impact" not in shop.get("/deployments", fields="id,commits")["deployments"][0]


def test_a_deployment_answers_until_the_next_one(idle: Service) -> None:
    now = clock.now()
    made = _deploy(idle, "a" * 40, now - 3 * HOUR)
    _deploy(idle, "b" * 40, now - 2 * HOUR)
    _alert(idle, "later", now - HOUR)
    told = idle.get(f"/deployments/{made['id']}/impact", hours=1)
    assert (told["window_seconds"], told["alerts"]) == (3600, [])
    assert told["alerts_after"] == 0
    assert idle.client.get(f"{URL}/{made['id']}/impact?hours=0").status_code == 422
    error_of(idle.client.get(f"{URL}/{NOBODY}/impact"), "RESOURCE_NOT_FOUND")
    error_of(idle.client.get(f"{URL}/{NOBODY}/changes"), "RESOURCE_NOT_FOUND")


def test_what_was_resolved_since_the_deployment_before_went_with_it(service: Service) -> None:
    service.write("old.py", "eval(input())\n")
    service.write("kept.py", "exec(input())\n")
    service.analyze(project="shop")
    _deploy(service, "a" * 40, None)
    service.write("old.py", "x = 1\n")
    service.write("new.py", "import os\nos.system(input())\n")
    service.analyze(project="shop")
    made = _deploy(service, "b" * 40, None)
    assert {one["file_path"] for one in made["resolved"]} == {"old.py"}
    assert made["resolved_total"] == len(made["resolved"])
    assert {one["file_path"] for one in made["findings"]} == {"new.py"}
    assert made["risk"]["level"] == "medium"
    assert made["risk"]["reasons"]


def test_what_an_analysis_of_its_commit_found_resolved_went_with_it(service: Service) -> None:
    service.write("old.py", "eval(input())\n")
    service.analyze(project="shop")
    now = clock.now()
    _deploy(service, "a" * 40, now - 2 * HOUR)
    made = _deploy(service, "b" * 40, now - HOUR)
    service.write("old.py", "x = 1\n")
    service.analyze(project="shop", commit_hash="b" * 40)
    told = service.get(f"/deployments/{made['id']}")
    assert {one["file_path"] for one in told["resolved"]} == {"old.py"}


def test_who_deployed_is_said_or_is_who_tells(idle: Service) -> None:
    said = _deploy(idle, "a" * 40, None, deployed_by="ada")
    assert (said["deployed_by"], said["risk"]["level"]) == ("ada", "unknown")
    assert _deploy(idle, "b" * 40, None)["deployed_by"] is None
    headers = make_key(idle, scopes=["write:analysis"], name="ci")
    answer = idle.client.post(URL, json={"project": "shop", "release": "2"}, headers=headers)
    assert data_of(answer)["deployed_by"] == "ci"


def test_the_files_that_its_commits_touched_are_told(shop: Service) -> None:
    repository = Repository(shop.root)
    first = repository.commit("first", cart="a = 1\nb = 2\n", same="x = 1\n")
    repository.commit("second", cart="a = 1\nb = 3\nc = 4\n", fresh="y = 1\n")
    last = repository.commit("third", cart="a = 1\nb = 4\nc = 4\n")
    shop.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
    shop.worker.drain()
    now = clock.now()
    _deploy(shop, first, now - HOUR)
    made = _deploy(shop, last, now)
    told = shop.get(f"/deployments/{made['id']}/changes")
    assert schemas.DeploymentChangesSchema().validate(told) == {}
    assert told["files_total"] == 2
    assert told["files"] == [
        {"file_path": "cart.py", "kind": "modified", "commits": 2, "lines_added": 3, "lines_removed": 2},
        {"file_path": "fresh.py", "kind": "added", "commits": 1, "lines_added": 0, "lines_removed": 0},
    ]


def test_where_the_commits_are_not_known_no_file_is_told(idle: Service) -> None:
    made = _deploy(idle, "a" * 40, None)
    told = idle.get(f"/deployments/{made['id']}/changes")
    assert (told["commits_known"], told["files"]) == (False, [])


@pytest.mark.parametrize(
    ("came", "commits", "level"),
    [
        ({}, None, "unknown"),
        ({}, 3, "low"),
        ({Severity.LOW: 7}, None, "low"),
        ({Severity.HIGH: 1}, None, "medium"),
        ({}, 50, "medium"),
        ({Severity.HIGH: 5}, 1, "high"),
        ({Severity.CRITICAL: 1}, 1, "high"),
    ],
)
def test_risk_is_what_came_with_it(came: dict[str, int], commits: int | None, level: str) -> None:
    told = risk.assess(came, commits, is_first=False)
    assert told["level"] == level
    assert schemas.RiskSchema().validate(told) == {}
