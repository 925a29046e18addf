"""Correlating over HTTP and by the worker: the shape, what is recorded, what is reopened, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.features.iris import correlating
from hefesto_api.storage import alerts, correlations, jobs, outbox, projects
from tests.answers import data_of, error_of
from tests.features.crashes import CODE, TRACE, URL, analysed, correlate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

ANSWER = {
    "correlation_id", "alert_id", "correlation_found", "confidence_score", "matching_findings",
    "suspect_functions", "suspect_commits", "frames", "suggested_root_cause", "related_files",
    "recommended_actions", "cost_estimate", "model_version",
}  # fmt: skip


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, with a project that was analysed."""
    return analysed(make_service(db_url))


def test_an_answer_has_every_member_and_names_the_functions(shop: Service) -> None:
    told = correlate(shop)
    assert set(told) >= ANSWER
    assert told["alert_id"] == "A-1"
    assert [(one["function"], one["line"], one["project_path"]) for one in told["frames"]] == [
        ("main", 14, "pkg/names.py"),
        ("name_of", 10, "pkg/names.py"),
    ]
    assert all(one["in_app"] for one in told["frames"])
    assert {one["function_name"] for one in told["suspect_functions"]} >= {"name_of"}
    shares = [one["probability"] for one in told["suspect_functions"]]
    assert shares == sorted(shares, reverse=True)
    assert told["confidence_score"] == pytest.approx(sum(shares), abs=0.01)
    assert told["correlation_found"] is bool(told["matching_findings"])
    assert told["cost_estimate"] is None


def test_only_the_alert_s_id_is_required(shop: Service) -> None:
    told = data_of(shop.client.post(URL, json={"alert_id": "bare"}))
    assert (told["frames"], told["suspect_functions"], told["matching_findings"]) == ([], [], [])
    assert (told["confidence_score"], told["correlation_found"]) == (0.0, False)
    assert told["recommended_actions"]
    details = error_of(shop.client.post(URL, json={"stacktrace": TRACE}), "VALIDATION_ERROR")
    assert details["errors"][0]["field"] == "alert_id"


@pytest.mark.parametrize(
    "trace", ["no trace at all", "\x01\x1b[31m \U0001f600" * 50, "", ["line", "by line"], None]
)
def test_a_trace_that_cannot_be_read_is_answered_without_frames(idle: Service, trace: Any) -> None:
    told = data_of(idle.client.post(URL, json={"alert_id": "odd", "stacktrace": trace}))
    assert told["frames"] == []
    assert told["confidence_score"] == 0.0
    assert told["recommended_actions"]


def test_a_crash_in_a_library_alone_suspects_nobody(shop: Service) -> None:
    trace = TRACE.replace("/opt/shop/pkg/names.py", "/usr/lib/python3/site-packages/other/thing.py")
    told = correlate(shop, stacktrace=trace)
    assert [one["in_app"] for one in told["frames"]] == [False, False]
    assert (told["suspect_functions"], told["confidence_score"]) == ([], 0.0)
    assert any("library" in action for action in told["recommended_actions"])


def test_frames_may_come_structured(shop: Service) -> None:
    frames = [
        {"file": "names.py", "abs_path": "/opt/shop/pkg/names.py", "line": 14, "function": "main"},
        {"file": "names.py", "abs_path": "/opt/shop/pkg/names.py", "line": 10, "function": "name_of"},
    ]
    told = correlate(shop, stacktrace=None, frames=frames, error_type="TypeError", error_message="None")
    assert [one["project_path"] for one in told["frames"]] == ["pkg/names.py"] * 2
    assert told["frames"][0]["file"] == "names.py"
    assert told["suspect_functions"]


def test_the_older_name_does_the_same(shop: Service) -> None:
    alert = {"alert_id": "A-1", "project": "shop", "stacktrace": TRACE}
    told = data_of(shop.client.post("/api/v1/correlation", json=alert))
    assert told["suspect_functions"] == correlate(shop, "A-2")["suspect_functions"]


def test_the_alert_is_recorded_once_and_points_to_its_latest_correlation(shop: Service) -> None:
    first = correlate(shop, timestamp="2026-02-01T10:00:00Z", severity="critical")
    again = correlate(shop, timestamp="2026-02-01T10:00:00Z", severity="critical")
    assert again["correlation_id"] != first["correlation_id"]
    assert again["recorded_alert_id"] == first["recorded_alert_id"]
    with shop.runtime.db.read() as session:
        alert = alerts.get(session, first["recorded_alert_id"])
        told = [event.data for event in outbox.after(session, 0) if event.type == "alert.created"]
    assert (alert.occurrence_count, alert.correlation_id) == (1, again["correlation_id"])
    assert (alert.severity, alert.error_type) == ("CRITICAL", "TypeError")
    assert [one["correlation_id"] for one in told] == [first["correlation_id"]]


def test_another_occurrence_is_counted(shop: Service) -> None:
    first = correlate(shop, timestamp="2026-02-01T10:00:00Z")
    second = correlate(shop, "A-2", timestamp="2026-02-01T10:05:00Z")
    assert second["recorded_alert_id"] == first["recorded_alert_id"]
    with shop.runtime.db.read() as session:
        assert alerts.get(session, first["recorded_alert_id"]).occurrence_count == 2


def test_a_correlation_is_shown_as_it_was_answered(shop: Service) -> None:
    told = correlate(shop)
    shown = shop.get(f"/iris/correlations/{told['correlation_id']}")
    assert {name: shown[name] for name in told} == told
    assert (shown["project"], shown["feedback"]) == ("shop", [])
    error_of(
        shop.client.get("/api/v1/iris/correlations/0198c0de-0000-7000-8000-000000000000"),
        "RESOURCE_NOT_FOUND",
    )


def test_correlations_are_listed_newest_first(shop: Service) -> None:
    made = [correlate(shop, f"A-{number}")["correlation_id"] for number in range(4)]
    data_of(shop.client.post(URL, json={"alert_id": "elsewhere", "project": "other"}))

    def ids(**query: Any) -> list[str]:
        return [one["correlation_id"] for one in shop.get("/iris/correlations", **query)["correlations"]]

    assert ids(project="shop") == made[::-1]
    page = shop.get("/iris/correlations", project="shop", limit=3)
    assert page["total_count"] == 4
    assert ids(project="shop", limit=3, cursor=page["pagination"]["next_cursor"]) == made[:1]
    assert ids(project="nothing") == []
    alert = page["correlations"][0]["recorded_alert_id"]
    assert ids(alert_id=alert) == made[::-1]
    assert len(page["correlations"][0]["suspect_functions"]) == 1


def test_the_service_leads_to_the_project(shop: Service) -> None:
    shop.client.patch("/api/v1/projects/shop", json={"service_names": ["checkout"]})
    told = data_of(
        shop.client.post(URL, json={"alert_id": "s", "service_name": "checkout", "stacktrace": TRACE})
    )
    assert told["suspect_functions"]
    assert shop.get(f"/iris/correlations/{told['correlation_id']}")["project"] == "shop"
    unknown = data_of(
        shop.client.post(URL, json={"alert_id": "t", "service_name": "cart", "stacktrace": TRACE})
    )
    assert unknown["suspect_functions"] == []


def test_what_an_incident_costs_is_told_when_it_can_be_known(shop: Service) -> None:
    assert correlate(shop, affected_users=120)["cost_estimate"] is None
    shop.client.patch("/api/v1/projects/shop", json={"revenue_per_user_usd": 2.5})
    cost = correlate(shop, "A-2", affected_users=120)["cost_estimate"]
    assert (cost["affected_users"], cost["estimated_revenue_impact_usd"]) == (120, 300.0)
    assert "120" in cost["calculation"]
    assert correlate(shop, "A-3")["cost_estimate"] is None


def test_path_mappings_lead_frames_to_files(shop: Service) -> None:
    trace = TRACE.replace("/opt/shop/pkg/names.py", "/bundle/names.py")
    assert correlate(shop, stacktrace=trace)["suspect_functions"] == []
    mapping = {"from": "/bundle", "to": "pkg"}
    shop.client.patch("/api/v1/projects/shop", json={"path_mappings": [mapping]})
    assert correlate(shop, "A-2", stacktrace=trace)["frames"][0]["project_path"] == "pkg/names.py"


def test_a_file_that_came_with_the_latest_analysis_is_found(shop: Service) -> None:
    trace = TRACE.replace("names.py", "fresh.py")
    assert correlate(shop, stacktrace=trace)["suspect_functions"] == []
    shop.write("pkg/fresh.py", CODE)
    shop.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
    shop.worker.drain()
    assert correlate(shop, "A-2", stacktrace=trace)["suspect_functions"]


def test_functions_are_named_where_the_text_is_gone(shop: Service) -> None:
    (shop.root / "pkg" / "names.py").unlink()
    assert {one["function_name"] for one in correlate(shop)["suspect_functions"]} >= {"name_of"}


def test_the_numbers_can_be_had_again_from_what_is_stored(shop: Service) -> None:
    told = correlate(shop)
    (shop.root / "pkg" / "names.py").write_text("")
    with shop.runtime.db.read() as session:
        record = correlations.get(session, told["correlation_id"])
        again = correlating.reproduced(session, record)
    assert [round(one.probability, 4) for one in again.suspects] == [
        one["probability"] for one in told["suspect_functions"]
    ]
    assert again.model_version == told["model_version"]


def test_the_worker_correlates_what_came_by_intake_once(shop: Service) -> None:
    db = shop.runtime.db
    incoming = IncomingAlert(alert_id="in", source="sentry", stacktrace=TRACE)
    with db.write() as session:
        project = projects.get(session, "shop")
        recorded = alerts.record(session, project.id, incoming, "print")
        jobs.enqueue(session, "correlation", {"alert_id": recorded.alert_id})
        jobs.enqueue(session, "correlation", {"alert_id": recorded.alert_id})
        jobs.enqueue(session, "correlation", {"alert_id": "0198c0de-0000-7000-8000-000000000000"})
    shop.worker.drain()
    listed = shop.get("/iris/correlations", alert_id=recorded.alert_id)["correlations"]
    assert len(listed) == 1
    assert listed[0]["alert_id"] == "in"
    with db.read() as session:
        alert = alerts.get(session, recorded.alert_id)
        assert (alert.correlation_id, alert.occurrence_count) == (listed[0]["correlation_id"], 1)
        assert jobs.counts(session).get("dead", 0) == 0


def test_the_same_key_is_answered_the_same(shop: Service) -> None:
    alert = {"alert_id": "A-1", "project": "shop", "stacktrace": TRACE}
    answers = [shop.client.post(URL, json=alert, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert data_of(answers[0]) == data_of(answers[1])
