"""The routes of metrics: the summary of a period and the trends, with the numbers worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from flask import g
from hefesto_api.domain import clock
from hefesto_api.domain.access import Principal
from hefesto_api.features.metrics.schemas import GateSchema, MetricsSummarySchema, MetricsTrendsSchema
from hefesto_api.storage import analyses, contents, findings, projects
from hefesto_api.storage.contents import FileRecord
from tests.answers import error_of
from tests.storage.factories import content, finding_record

if TYPE_CHECKING:
    from hefesto_api.storage.findings import FindingRecord
    from tests.features.conftest import Service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Let it be Monday the 2nd of March."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    return NOON


def ago(days: int) -> datetime:
    return NOON - timedelta(days=days)


def kept(service: Service, *each: dict[str, Any], project: str = "shop") -> list[FindingRecord]:
    """Put findings on record; `days` is how long ago each was first seen."""
    with service.runtime.db.write() as session:
        project_id = projects.ensure(session, project).id
        records = [_record(project_id, **fields) for fields in each]
        findings.insert(session, records)
    return records


def _record(project_id: str, *, days: int = 0, confidence: float = 1.0, **fields: Any) -> FindingRecord:
    return finding_record(
        project_id, first_seen=ago(days), last_seen=ago(days), updated_at=ago(days), confidence=confidence,
        **fields,
    )  # fmt: skip


def resolve(service: Service, one: FindingRecord, days: int, reason: str | None = None) -> None:
    """Resolve a finding some days ago."""
    with service.runtime.db.write() as session:
        findings.change(
            session, one.id, one.revision, status="resolved", reason=reason, resolved_at=ago(days),
            updated_at=ago(days),
        )  # fmt: skip


def code(
    service: Service, lines: int, *, days: int, project: str = "shop", branch: str = "", number: int = 1
) -> None:
    """Put a file of so many lines on record."""
    with service.runtime.db.write() as session:
        project_id = projects.ensure(session, project).id
        stored = contents.store(session, "e1", [content(number, lines_of_code=lines)])
        file = FileRecord(f"{number}.py", next(iter(stored.values())), 1, 1, 1, 1, "a", ago(days))
        contents.save_files(session, project_id, branch, [file])


def test_an_empty_service_has_nothing_to_complain_of(idle: Service) -> None:
    summary = idle.get("/metrics/summary")
    assert MetricsSummarySchema().validate(summary) == {}
    assert summary["period"] == {"start": "2026-02-01", "end": "2026-03-02"}
    assert (summary["total_analyses"], summary["total_findings"]) == (0, 0)
    assert summary["findings_by_severity"] == {"CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "LOW": 0}
    assert (summary["quality_score"], summary["quality_grade"], summary["trend"]) == (100, "A", "stable")
    assert summary["comparison_previous_period"] is None
    assert (summary["top_files"], summary["rule_precision"]) == ([], [])


def test_the_summary_shows_what_stands_and_the_parts_of_its_quality(idle: Service) -> None:
    code(idle, 1000, days=3)
    kept(
        idle,
        {"severity": "CRITICAL", "confidence": 0.9, "file_path": "b.py"},
        {"severity": "HIGH", "analyzer": "complexity", "status": "acknowledged"},
        {"severity": "LOW", "analyzer": "complexity"},
        {"severity": "CRITICAL", "status": "ignored"},
    )
    summary = idle.get("/metrics/summary", project="shop")
    assert MetricsSummarySchema().validate(summary) == {}
    assert summary["total_findings"] == 3
    assert summary["findings_by_severity"] == {"CRITICAL": 1, "HIGH": 1, "MEDIUM": 0, "LOW": 1}
    assert summary["findings_by_analyzer"] == {
        "complexity": 2, "security": 1, "code_smells": 0, "best_practices": 0,
    }  # fmt: skip
    # 20 * 0.9 + 8 + 1 in 1000 lines: 100 / (1 + 27/50).
    assert summary["quality"] == {"weight": 27.0, "lines_of_code": 1000, "density": 27.0}
    assert (summary["quality_score"], summary["quality_grade"]) == (64.94, "C")
    none = {"critical": 0, "high": 0, "medium": 0, "low": 0}
    assert summary["top_files"] == [
        {"file_path": "b.py", "project": "shop", "total": 1, "weight": 18.0, **none, "critical": 1},
        {
            "file_path": "src/app.py",
            "project": "shop",
            "total": 2,
            "weight": 9.0,
            **none,
            "high": 1,
            "low": 1,
        },
    ]


def test_the_summary_compares_with_the_end_of_the_period_before(idle: Service) -> None:
    code(idle, 1000, days=50)
    first, *_ = kept(idle, *[{"days": 40, "severity": "HIGH"}] * 5)
    resolve(idle, first, 10)
    summary = idle.get("/metrics/summary")
    # From 5 to 4; 100 / (1 + 40/50) = 55.56 then, 100 / (1 + 32/50) = 60.98 now.
    assert summary["comparison_previous_period"] == {
        "findings_change_percent": -20.0, "quality_score_change": 5.42,
    }  # fmt: skip
    assert summary["trend"] == "improving"
    before = idle.get("/metrics/summary", start_date="2026-01-15", end_date="2026-02-19")
    assert before["period"] == {"start": "2026-01-15", "end": "2026-02-19"}
    assert before["total_findings"] == 5
    assert before["comparison_previous_period"]["findings_change_percent"] is None
    assert before["trend"] == "degrading"


def test_a_small_movement_is_none(idle: Service) -> None:
    code(idle, 1_000_000, days=50)
    kept(idle, *[{"days": 40}] * 25, {"days": 1})
    summary = idle.get("/metrics/summary")
    assert summary["comparison_previous_period"]["findings_change_percent"] == 4.0
    assert summary["trend"] == "stable"
    kept(idle, {"days": 1})
    assert idle.get("/metrics/summary")["trend"] == "degrading"


def test_only_completed_analyses_of_the_period_count(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.ensure(session, "shop").id
        for days, status in ((0, "completed"), (29, "completed"), (30, "completed"), (1, "failed")):
            analyses.create(
                session, kind="path", path=".", project_id=shop, created_at=ago(days), status=status
            )
    assert idle.get("/metrics/summary")["total_analyses"] == 2
    assert idle.get("/metrics/summary", start_date="2026-01-31")["total_analyses"] == 3


def test_rules_are_judged_once_enough_was_decided(idle: Service) -> None:
    dull = {"rule_id": "A"}
    dismissed = {"rule_id": "A", "status": "ignored", "reason": "false_positive"}
    right = kept(idle, *[dull] * 3, dull, dismissed, dismissed)
    few = kept(idle, *[{"rule_id": "B"}] * 4)
    for one, reason in zip(right, ("fixed", None, "test_code"), strict=False):
        resolve(idle, one, 0, reason)
    for one in few:
        resolve(idle, one, 0)
    duplicate = kept(idle, {"rule_id": "A"})[0]
    resolve(idle, duplicate, 0, "duplicate")
    assert idle.get("/metrics/summary")["rule_precision"] == [
        {"rule_id": "A", "findings": 7, "resolved": 3, "false_positives": 2, "precision": 0.6}
    ]


def test_trends_tell_what_stood_at_the_end_of_each_day(idle: Service) -> None:
    code(idle, 1000, days=2)
    code(idle, 1000, days=0, number=2)
    first, _ = kept(idle, {"days": 3, "severity": "CRITICAL"}, {"days": 1, "severity": "MEDIUM"})
    resolve(idle, first, 0)
    trends = idle.get("/metrics/trends", days=4)
    assert MetricsTrendsSchema().validate(trends) == {}
    names = ("date", "total_findings", "critical", "medium", "opened", "resolved", "quality_score")
    assert [tuple(point[name] for name in names) for point in trends["data_points"]] == [
        # 20 in 1000 lines, 23 in 1000, 3 in 2000
        ("2026-02-27", 1, 1, 0, 1, 0, 71.43),
        ("2026-02-28", 1, 1, 0, 0, 0, 71.43),
        ("2026-03-01", 2, 1, 1, 1, 0, 68.49),
        ("2026-03-02", 1, 0, 1, 0, 1, 97.09),
    ]
    assert trends["summary"] == {
        "average_quality_score": 77.11,
        "best_day": {"date": "2026-03-02", "quality_score": 97.09},
        "worst_day": {"date": "2026-03-01", "quality_score": 68.49},
    }


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("weekly", [("2026-02-22", 1, 1), ("2026-03-01", 2, 1), ("2026-03-02", 3, 1)]),
        ("monthly", [("2026-02-28", 2, 2), ("2026-03-02", 3, 1)]),
    ],
)
def test_trends_join_days_into_weeks_and_months(
    idle: Service, period: str, expected: list[tuple[str, int, int]]
) -> None:
    kept(idle, {"days": 0}, {"days": 2}, {"days": 8})
    points = idle.get("/metrics/trends", period=period, days=10)["data_points"]
    assert [(one["date"], one["total_findings"], one["opened"]) for one in points] == expected


def test_lines_are_those_of_the_default_branch(idle: Service) -> None:
    code(idle, 500, days=1, branch="main", number=1)
    code(idle, 9000, days=1, branch="next", number=2)
    assert idle.get("/metrics/summary")["quality"]["lines_of_code"] == 9000
    idle.client.patch("/api/v1/projects/shop", json={"default_branch": "main"})
    assert idle.get("/metrics/summary")["quality"]["lines_of_code"] == 500


def test_lines_of_a_project_without_files_are_those_of_its_latest_analysis(idle: Service) -> None:
    with idle.runtime.db.write() as session:
        shop = projects.ensure(session, "shop").id
        for days, lines in ((2, 10), (1, 20)):
            analyses.create(
                session, kind="cli", path=".", project_id=shop, created_at=ago(days), status="completed",
                lines_of_code=lines,
            )  # fmt: skip
    assert idle.get("/metrics/summary")["quality"]["lines_of_code"] == 20


def test_a_caller_bound_to_projects_sees_only_theirs(idle: Service) -> None:
    kept(idle, {}, project="mine")
    kept(idle, {}, {}, project="theirs")
    app = idle.client.application
    bound = Principal("u", "u", frozenset({"read:metrics"}), frozenset({"mine"}))
    app.before_request_funcs.setdefault(None, []).append(lambda: setattr(g, "principal", bound))
    assert idle.get("/metrics/summary")["total_findings"] == 1
    assert {one["project"] for one in idle.get("/metrics/summary")["top_files"]} == {"mine"}
    assert idle.get("/metrics/summary", project="theirs")["total_findings"] == 0
    assert idle.get("/metrics/trends")["data_points"][-1]["total_findings"] == 1
    assert idle.get("/metrics/trends", project="theirs")["data_points"][-1]["total_findings"] == 0


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("summary", {"start_date": "2026-03-03"}, "start_date"),
        ("summary", {"start_date": "2026-02-02", "end_date": "2026-02-01"}, "start_date"),
        ("summary", {"end_date": "soon"}, "end_date"),
        ("summary", {"days": "1"}, "days"),
        ("trends", {"days": "0"}, "days"),
        ("trends", {"days": "366"}, "days"),
        ("trends", {"period": "hourly"}, "period"),
    ],
)
def test_bad_values_are_named(idle: Service, path: str, query: dict[str, str], field: str) -> None:
    answer = idle.client.get(f"/api/v1/metrics/{path}", query_string=query)
    assert answer.status_code == 422
    assert [one["field"] for one in error_of(answer, "VALIDATION_ERROR")["errors"]] == [field]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_time_are_days_too(idle: Service, day: str) -> None:
    period = idle.get("/metrics/summary", start_date=day, end_date=day)["period"]
    assert period == {"start": day, "end": day}
    assert idle.get("/metrics/summary", end_date=day)["period"]["end"] == day


def test_what_an_analysis_finds_is_in_the_metrics(any_service: Service) -> None:
    any_service.write("app.py", "def f(x):\n    return eval(x)\n")
    any_service.analyze()
    listed = any_service.get("/findings")["total_count"]
    summary = any_service.get("/metrics/summary")
    assert summary["total_findings"] == listed > 0
    assert summary["quality"]["lines_of_code"] == 2
    assert MetricsSummarySchema().validate(summary) == {}
    assert any_service.get("/metrics/trends", days=365)["data_points"][-1]["opened"] == listed


def analysed(service: Service, *, branch: str = "", status: str = "completed", days: int = 0) -> str:
    """Put an analysis of the shop on record; return its id."""
    with service.runtime.db.write() as session:
        shop = projects.ensure(session, "shop").id
        made = analyses.create(
            session,
            kind="path",
            path=".",
            project_id=shop,
            branch=branch,
            status=status,
            created_at=ago(days),
        )
        return made.id


def gate_of(service: Service, **query: Any) -> dict[str, Any]:
    gate: dict[str, Any] = service.get("/projects/shop/gate", **query)
    assert GateSchema().validate(gate) == {}
    return gate


def test_the_gate_of_the_default_branch_judges_what_its_latest_analysis_was_first_to_see(
    idle: Service,
) -> None:
    before = analysed(idle, days=1)
    kept(idle, {"severity": "CRITICAL", "first_analysis_id": before})
    latest = analysed(idle)
    kept(
        idle,
        {"severity": "HIGH", "first_analysis_id": latest, "status": "ignored"},
        {"severity": "MEDIUM", "first_analysis_id": latest},
    )
    passed = gate_of(idle)
    assert (passed["passed"], passed["analysis_id"], passed["compared_with"]) == (True, latest, None)
    assert passed["new_findings"] == {"total": 1, "CRITICAL": 0, "HIGH": 0, "MEDIUM": 1, "LOW": 0}
    assert passed["conditions"] == [
        {"metric": "new_critical", "limit": 0, "value": 0, "passed": True},
        {"metric": "new_high", "limit": 0, "value": 0, "passed": True},
    ]
    failed = gate_of(idle, analysis_id=before)
    assert (failed["passed"], failed["new_findings"]["CRITICAL"]) == (False, 1)
    assert gate_of(idle, analysis_id=before, max_critical=1)["passed"]
    assert not gate_of(idle, max_medium=0)["passed"]


def test_the_gate_of_a_branch_judges_what_the_default_branch_does_not_have(idle: Service) -> None:
    idle.client.post("/api/v1/projects", json={"slug": "shop", "default_branch": "main"})
    analysed(idle, branch="main")
    analysed(idle, branch="next")
    high = {"severity": "HIGH"}
    kept(
        idle,
        {**high, "branch": "main", "fingerprint": "both"},
        {**high, "branch": "main", "fingerprint": "back", "status": "resolved"},
        {**high, "branch": "next", "fingerprint": "both"},
        {**high, "branch": "next", "fingerprint": "back"},
        {**high, "branch": "next", "fingerprint": "new"},
    )
    gate = gate_of(idle, branch="next")
    assert (gate["passed"], gate["branch"], gate["compared_with"]) == (False, "next", "main")
    assert gate["new_findings"]["HIGH"] == 2
    assert gate_of(idle, branch="main")["passed"]


def test_the_gate_may_ask_for_a_grade(idle: Service) -> None:
    code(idle, 1000, days=1)
    analysed(idle)
    kept(idle, {"severity": "CRITICAL"})  # 100 / (1 + 20/50) = 71.43
    condition = {"metric": "quality_grade", "value": "C"}
    assert gate_of(idle, min_grade="c")["conditions"][-1] == {**condition, "limit": "C", "passed": True}
    assert gate_of(idle, min_grade="B")["conditions"][-1] == {**condition, "limit": "B", "passed": False}


def test_what_cannot_be_judged_is_told(idle: Service) -> None:
    running = analysed(idle, status="running")
    for path, query, status in (
        ("shop", {}, 404),
        ("shop", {"branch": "none"}, 404),
        ("shop", {"analysis_id": running}, 409),
        ("nobody", {}, 404),
        ("shop", {"max_high": "-1"}, 422),
        ("shop", {"min_grade": "E"}, 422),
    ):
        answer = idle.client.get(f"/api/v1/projects/{path}/gate", query_string=query)
        assert answer.status_code == status, (path, query)


def test_the_badge_shows_the_grade(idle: Service) -> None:
    code(idle, 1000, days=1)
    kept(idle, {"severity": "CRITICAL"})
    answer = idle.client.get("/api/v1/projects/shop/badge.svg")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers.getlist("Cross-Origin-Resource-Policy") == ["cross-origin"]  # pages may show it
    gate = idle.client.get("/api/v1/projects/shop/gate")
    assert gate.headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
    drawing = ET.fromstring(answer.data)  # noqa: S314 - our own
    assert drawing.attrib["aria-label"] == "quality: C 71"
    again = idle.client.get(
        "/api/v1/projects/shop/badge.svg", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    kept(idle, {"severity": "CRITICAL"})
    assert idle.client.get("/api/v1/projects/shop/badge.svg").headers["ETag"] != answer.headers["ETag"]


def test_the_badge_of_what_nothing_is_known_of(idle: Service) -> None:
    idle.client.post("/api/v1/projects", json={"slug": "bare"})
    image = idle.client.get("/api/v1/projects/bare/badge.svg", headers={"Accept": "image/svg+xml"})
    assert b"quality: unknown" in image.data
    assert idle.client.get("/api/v1/projects/nobody/badge.svg").status_code == 404
