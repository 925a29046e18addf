"""The dashboard's data: what fires and why, how the service does, what is unusual; each sees what he may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import g
from hefesto_api.domain import clock
from hefesto_api.domain.access import Principal
from hefesto_api.domain.baseline import Point
from hefesto_api.features.dashboard import observing
from hefesto_api.features.dashboard.schemas import DashboardSchema
from hefesto_api.storage import anomalies, findings, jobs, monitoring, projects, schedules
from hefesto_api.storage.anomalies import Measure
from tests.answers import data_of, error_of
from tests.storage.factories import finding_record

if TYPE_CHECKING:
    from tests.features.conftest import Service

URL = "/dashboard"
PARTS = ("overview", "webhooks", "performance", "anomalies")
HOUR = timedelta(hours=1)


def alert(service: Service, project: str, title: str, **fields: Any) -> dict[str, Any]:
    """Tell the service of an alert."""
    body = {"alert_id": title, "title": title, "project": project, "severity": "HIGH", **fields}
    answer = service.client.post("/api/v1/alerts", json=body)
    assert answer.status_code in {200, 201, 202}, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def as_of(service: Service, *slugs: str) -> None:
    """Let whoever calls be bound to projects."""

    def bind() -> None:
        g.principal = Principal("key", "k", frozenset({"read:metrics"}), projects=frozenset(slugs))

    service.client.application.before_request_funcs.setdefault(None, []).append(bind)


def spike(service: Service, measure: Measure) -> None:
    """Have a measure known, and then be far off."""
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    with service.runtime.db.write() as session:
        for hour in range(9 * 24, 0, -1):
            anomalies.take(session, measure, Point(now - hour * HOUR, 50))
    assert observing.learn(service.runtime.db) >= 1
    with service.runtime.db.write() as session:
        assert anomalies.take(session, measure, Point(now, 4000)) is not None


def test_an_empty_service_is_calm_and_complete(idle: Service) -> None:
    data = idle.get(URL)
    assert DashboardSchema().validate(data) == {}
    assert set(data) == set(PARTS)
    assert data["overview"]["alerts"] == {"firing": 0, "pending": 0, "acknowledged": 0, "top": []}
    assert data["overview"]["findings"]["total"] == 0
    assert data["webhooks"]["enabled"] is False
    assert data["anomalies"] == {"anomalies": [], "baselines": []}
    for part in PARTS:
        assert set(idle.get(f"{URL}/{part}")) == set(data[part])


def test_what_fires_is_told_with_its_suspect(service: Service) -> None:
    service.write("shop/cart.py", "def total(cart):\n    return cart.sum / cart.items\n")
    service.analyze(project="shop")
    trace = (
        "Traceback (most recent call last):\n"
        f'  File "{service.root}/shop/cart.py", line 2, in total\n'
        "    return cart.sum / cart.items\n"
        "ZeroDivisionError: division by zero\n"
    )
    body = {"alert_id": "1", "error_message": "division by zero", "stacktrace": trace, "project": "shop"}
    answer = service.client.post("/api/v1/iris/correlate-alert", json=body)
    assert answer.status_code == 200, answer.get_json()
    overview = service.get(f"{URL}/overview")
    (top,) = overview["alerts"]["top"]
    assert top["top_suspect"]["function_name"] == "total"
    assert top["top_suspect"]["file_path"] == "shop/cart.py"
    assert 0 < top["top_suspect"]["probability"] <= 1
    assert "total (shop/cart.py:2)" in top["why"]
    assert [one["project"] for one in overview["quality"]] == ["shop"]
    assert overview["quality"][0]["lines_of_code"] == 2
    assert {"alert.created", "analysis.completed"} <= {one["type"] for one in overview["lately"]}


def test_the_worst_that_nobody_looked_at_comes_first(idle: Service) -> None:
    for title, severity in (("low", "LOW"), ("worst", "CRITICAL"), ("seen", "CRITICAL"), ("over", "HIGH")):
        alert(idle, "shop", title, severity=severity)
    by_title = {one["title"]: one["id"] for one in idle.get("/alerts")["alerts"]}
    assert idle.client.post(f"/api/v1/alerts/{by_title['seen']}/acknowledge", json={}).status_code == 200
    assert idle.client.post(f"/api/v1/alerts/{by_title['over']}/resolve", json={}).status_code == 200
    told = idle.get(f"{URL}/overview")["alerts"]
    assert [one["title"] for one in told["top"]] == ["worst", "low", "seen"]
    assert (told["firing"], told["pending"], told["acknowledged"]) == (3, 2, 1)


def test_deployments_and_findings_are_in_the_overview(idle: Service) -> None:
    marker = {"project": "shop", "commit_hash": "a" * 40, "release": "1.2"}
    assert idle.client.post("/api/v1/deployments", json=marker).status_code == 201
    with idle.runtime.db.write() as session:
        shop = projects.ensure(session, "shop").id
        kinds = [{"severity": "HIGH"}, {"severity": "LOW"}, {"severity": "LOW", "status": "ignored"}]
        findings.insert(session, [finding_record(shop, **kind) for kind in kinds])
    overview = idle.get(f"{URL}/overview")
    assert overview["findings"]["total"] == 2
    assert overview["findings"]["by_severity"] == {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 1}
    (one,) = overview["deployments"]
    assert (one["project"], one["release"], one["verdict"], one["verdicts"]) == ("shop", "1.2", None, [])
    assert one["environment"] == "production"


def test_who_is_bound_to_a_project_sees_that_one(idle: Service) -> None:
    for slug in ("shop", "other"):
        alert(idle, slug, f"{slug} is down")
        marker = {"project": slug, "release": f"{slug}-1"}
        assert idle.client.post("/api/v1/deployments", json=marker).status_code == 201
        with idle.runtime.db.read() as session:
            project_id = projects.get(session, slug).id
        spike(idle, Measure("alerts_per_hour", project_id))
    assert "other" in str(idle.get(URL))
    as_of(idle, "shop")
    data = idle.get(URL)
    assert "shop" in str(data)
    assert "other" not in str(data)
    assert data["overview"]["alerts"]["firing"] == 1
    assert [one["project"] for one in data["anomalies"]["anomalies"]] == ["shop"]
    assert data["webhooks"]["deliveries_waiting"] is None
    foreign = idle.get(URL, project="other")
    assert foreign["overview"]["alerts"]["firing"] == 0
    assert foreign["overview"]["quality"] == []


def test_one_project_is_asked_for(idle: Service) -> None:
    for slug in ("shop", "other"):
        alert(idle, slug, f"{slug} is down")
    overview = idle.get(f"{URL}/overview", project="shop")
    assert [one["project"] for one in overview["alerts"]["top"]] == ["shop"]
    assert [one["project"] for one in overview["quality"]] == ["shop"]
    assert {one["project"] for one in overview["lately"]} == {"shop"}


def test_performance_is_told_by_route_and_over_time(idle: Service) -> None:
    for _ in range(3):
        idle.get("/status")
    idle.client.get("/api/v1/analyze/0198c0de-0000-7000-8000-000000000000")
    with idle.runtime.db.write() as session:
        jobs.enqueue(session, "sweep", {}, run_at=clock.now() - timedelta(seconds=90))
    idle.runtime.measures.flush()
    data = idle.get(f"{URL}/performance")
    routes = {one["route"]: one for one in data["routes"]}
    assert routes["GET /api/v1/status"]["requests"] == 3
    assert routes["GET /api/v1/analyze/<uuid:analysis_id>"]["refused"] == 1
    status = routes["GET /api/v1/status"]
    assert 0 < status["p50_ms"] <= status["p95_ms"] <= status["p99_ms"]
    assert data["requests"]["requests"] == sum(one["requests"] for one in routes.values())
    assert sum(one["requests"] for one in data["points"]) == data["requests"]["requests"]
    assert data["queue"]["depth"] == 1
    assert data["queue"]["oldest_waiting_seconds"] >= 90
    assert data["queue"]["most_depth"] == 1
    assert data["storage_writer_wait"]["writes"] >= 1
    idle.runtime.measures.flush()
    again = idle.get(f"{URL}/performance", minutes=129600)
    assert again["requests"]["requests"] == data["requests"]["requests"] + 1


def test_measures_become_points_once_and_a_spike_is_told(
    idle: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = idle.runtime.db
    idle.runtime.measures.close()
    noon = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: noon)
    took = (0,) * 5 + (30,) + (0,) * (len(monitoring.BOUNDS) - 5)
    counted = monitoring.Requests(30, 0, 2, 0.3, took)
    minute = int(noon.timestamp()) - 120
    with db.write() as session:
        queue = {(minute, "queue_depth"): monitoring.Gauge(2, 6, 4)}
        monitoring.add(session, {(minute, "GET /"): counted}, queue)
        shop = projects.ensure(session, "shop").id
    assert observing.observe(db) > 0
    assert observing.observe(db) == 0
    told = {one["metric"]: one for one in idle.get(f"{URL}/anomalies")["baselines"]}
    assert told["http_requests"]["value"] == 30
    assert told["http_errors"]["value"] == 2
    assert 7 < told["http_p95_ms"]["value"] <= 10
    assert told["queue_depth"]["value"] == 3
    assert told["http_requests"]["granularity"] == "none"
    assert told["http_requests"]["expected"] is None
    assert shop is not None


def test_an_anomaly_is_listed_with_its_band_and_its_series(idle: Service) -> None:
    spike(idle, Measure("http_errors"))
    data = idle.get(f"{URL}/anomalies", metric="http_errors")
    (one,) = data["anomalies"]
    assert (one["metric"], one["status"], one["severity"], one["project"]) == (
        "http_errors", "open", "CRITICAL", None,
    )  # fmt: skip
    assert one["lower"] < one["expected"] < one["upper"] < one["value"]
    (known,) = data["baselines"]
    assert known["granularity"] == "hour_of_day"
    assert known["points"][-1]["value"] == 4000
    assert known["points"][0]["upper"] < 4000
    assert idle.get(f"{URL}/anomalies", status="ended")["anomalies"] == []
    assert idle.get(f"{URL}/anomalies", metric="nothing") == {"anomalies": [], "baselines": []}
    events = idle.get(f"{URL}/overview")["lately"]
    assert [(event["type"], event["title"]) for event in events] == [("anomaly.detected", "http_errors")]


@pytest.mark.parametrize(
    ("part", "query"),
    [("performance", "minutes=0"), ("performance", "minutes=x"), ("anomalies", "days=91"),
     ("anomalies", "status=gone")],
)  # fmt: skip
def test_bad_values_are_named(idle: Service, part: str, query: str) -> None:
    answer = idle.client.get(f"/api/v1{URL}/{part}?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in str(error_of(answer, "VALIDATION_ERROR"))


def test_runs_of_schedules_are_told_to_operators(idle: Service) -> None:
    idle.worker.adopt()
    assert "measures" in schedules.tick(idle.runtime.db)
    idle.worker.drain()
    data = idle.get("/system/jobs")
    ran = {one["schedule"]: one["status"] for one in data["executions"]}
    assert ran["measures"] == ran["baselines"] == "succeeded"
    by_name = {one["name"]: one for one in data["scheduled"]}
    assert by_name["measures"]["last_status"] == "succeeded"
    assert {one["metric"] for one in data["baselines"]} >= {"http_requests", "http_errors"}
