"""The routes of health: what they say when all is well, and when it is not."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.adapters.watch import Watch
from hefesto_api.app import create_app
from hefesto_api.domain import clock
from hefesto_api.features.health import service
from hefesto_api.storage import jobs, workers
from hefesto_api.version import __version__
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings


@pytest.fixture
def runtime(app: Flask) -> Runtime:
    held: Runtime = app.extensions["hefesto"]
    return held


@pytest.fixture
def unmigrated(settings: Settings) -> FlaskClient:
    """A client of an application whose database nobody has made."""
    return create_app(settings).test_client()


def test_the_root_says_what_this_is(client: FlaskClient) -> None:
    assert data_of(client.get("/")) == {"message": "Hefesto API", "version": __version__, "docs": "/docs"}
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["Location"]) == (302, "/dashboard")


def test_health_is_well(client: FlaskClient) -> None:
    response = client.get("/health")
    data = data_of(response)
    assert (data["status"], data["version"]) == ("healthy", __version__)
    assert response.headers["Cache-Control"] == "no-store"


def test_health_tells_of_draining(client: FlaskClient, runtime: Runtime) -> None:
    runtime.draining.set()
    for path, word in (("/health", "unhealthy"), ("/readyz", "not_ready")):
        response = client.get(path)
        assert response.status_code == 503
        assert data_of(response)["status"] == word
    assert client.get("/livez").status_code == 200


def test_health_tells_of_the_latest_check(unmigrated: FlaskClient) -> None:
    held: Runtime = unmigrated.application.extensions["hefesto"]
    held.watch.look()
    response = unmigrated.get("/health")
    assert response.status_code == 503
    assert data_of(response)["status"] == "unhealthy"


def test_readiness_holds_when_all_of_it_does(client: FlaskClient) -> None:
    data = data_of(client.get("/readyz"))
    assert (data["status"], set(data["checks"].values())) == ("ready", {True})


def test_a_schema_that_a_later_version_brought_is_worked_on(client: FlaskClient) -> None:
    held: Runtime = client.application.extensions["hefesto"]
    with held.db.write() as session:
        session.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert client.get("/readyz").status_code == 200
    assert held.watch.look()
    assert data_of(client.get("/health/deep"))["checks"]["database"]["status"] == "healthy"


def test_readiness_names_what_does_not_hold(unmigrated: FlaskClient) -> None:
    response = unmigrated.get("/readyz")
    assert response.status_code == 503
    assert data_of(response)["checks"] == {
        "storage": True,
        "migrated": False,
        "queue": False,
        "accepting": True,
    }


def test_a_database_that_cannot_be_opened_is_told_everywhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    url = f"sqlite:///{tmp_path}/file/hefesto.db"
    client = create_app(all_settings.load({"HEFESTO_DATABASE_URL": url}, tmp_path)).test_client()
    deep = client.get("/health/deep")
    assert deep.status_code == 503
    assert data_of(deep)["checks"]["database"]["status"] == "unhealthy"
    assert str(tmp_path) not in deep.text
    assert data_of(client.get("/api/v1/health"))["services"]["database"] == "DOWN"
    assert data_of(client.get("/api/v1/status"))["status"] == "outage"
    assert data_of(client.get("/readyz"))["checks"]["storage"] is False
    assert b"hefesto_build_info" in client.get("/metrics").data
    failed = client.get("/api/v1/system/info")
    assert failed.status_code == 503
    assert error_of(failed, "STORAGE_ERROR")["service"] == "database"


def test_the_parts_are_told_as_they_are(client: FlaskClient) -> None:
    services = data_of(client.get("/api/v1/health"))["services"]
    assert services == {
        "analyzer": "OK", "database": "OK", "cache": "OK", "queue": "OK",
        "llm": "DISABLED", "gemini_api": "DISABLED",
    }  # fmt: skip
    status = data_of(client.get("/api/v1/status"))
    assert status["status"] == "operational"
    assert set(status["analyzers"]) == {"complexity", "security", "code_smells", "best_practices"}
    assert status["integrations"]["iris"] == "enabled"
    assert status["integrations"]["webhooks"] == "enabled"
    assert status["integrations"]["bigquery"] == "disabled"  # what is not there yet is no lie
    assert status["uptime_seconds"] >= 0


def test_deep_health_looks_at_every_part(client: FlaskClient) -> None:
    data = data_of(client.get("/health/deep"))
    assert set(data["checks"]) == {
        "database", "cache", "queue", "analyzers", "webhooks", "llm", "disk", "memory",
    }  # fmt: skip
    assert all(set(check) == {"status", "latency_ms", "details"} for check in data["checks"].values())
    assert data["warnings"] == []


def test_a_public_open_service_is_warned_of(make_app: Any, tmp_path: Path) -> None:
    app = make_app(all_settings.load({"HEFESTO_AUTH": "open"}, tmp_path))
    assert "HEFESTO_AUTH" in data_of(app.test_client().get("/health/deep"))["warnings"][0]


def queue_of(client: FlaskClient) -> Any:
    return data_of(client.get("/health/deep"))["checks"]["queue"]


def test_a_queue_that_nobody_works_off_is_told(client: FlaskClient, runtime: Runtime) -> None:
    with runtime.db.write() as session:
        jobs.enqueue(session, "old", {}, run_at=clock.now() - timedelta(minutes=6))
        jobs.enqueue(session, "new", {})
    told = queue_of(client)
    assert (told["status"], told["details"]["reason"]) == ("degraded", "no_worker")
    with runtime.db.write() as session:
        workers.register(session, "here", 1, 1)
    assert queue_of(client)["details"]["reason"] == "stuck"


def scratch(path: Path, table: str) -> None:
    """Write what means nothing over the first page of a table."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x5a" * size)


def test_files_that_cannot_be_written_are_told(
    client: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/api/v1/projects", json={"slug": "shop"})
    opened = os.open

    def refused(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_RDWR and str(path).startswith(str(runtime.db.url.database)):
            raise PermissionError(1, "Operation not permitted")
        return opened(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refused)
    runtime.db.was_refused = True
    answer = client.post("/api/v1/projects", json={"slug": "other"})
    assert (answer.status_code, error_of(answer, "STORAGE_ERROR")["reason"]) == (503, "read_only")
    assert data_of(client.get("/health/deep"))["checks"]["database"]["status"] == "degraded"
    assert client.get("/api/v1/projects/shop").status_code == 200
    monkeypatch.undo()
    assert client.post("/api/v1/projects", json={"slug": "other"}).status_code == 201


def test_a_damaged_page_is_told_with_the_remedy(client: FlaskClient, runtime: Runtime) -> None:
    assert client.get("/health/deep").status_code == 200
    client.post("/api/v1/projects", json={"slug": "shop"})
    path = Path(str(runtime.db.url.database))
    runtime.db.close()
    scratch(path, "projects")
    refused = client.get("/api/v1/projects")
    assert refused.status_code == 503
    assert error_of(refused, "STORAGE_ERROR")["reason"] == "damaged"
    deep = client.get("/health/deep")
    details = data_of(deep)["checks"]["database"]["details"]
    assert (deep.status_code, details["reason"]) == (503, "damaged")
    assert "hefesto db restore" in details["remedy"]
    assert "hefesto_database_damaged 1.0" in client.get("/metrics").text
    assert 'hefesto_database_errors_total{reason="damaged"}' in client.get("/metrics").text


def test_damage_that_nobody_has_met_is_found_by_looking(client: FlaskClient, runtime: Runtime) -> None:
    scratch(Path(str(runtime.db.url.database)), "users")
    deep = client.get("/health/deep")
    assert deep.status_code == 503
    assert data_of(deep)["checks"]["database"]["details"]["problems"]


def test_a_dead_job_degrades_the_queue(client: FlaskClient, runtime: Runtime) -> None:
    with runtime.db.write() as session:
        jobs.enqueue(session, "sweep", {})
        session.execute(jobs.jobs.update().values(status="dead"))
    assert data_of(client.get("/api/v1/health"))["services"]["queue"] == "DEGRADED"
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("parts", "states"),
    [
        ({"ruff": "available", "tree_sitter": "available"}, ["available"] * 4),
        ({"tree_sitter": "available"}, ["available", "degraded", "available", "degraded"]),
        ({"ruff": "available"}, ["unavailable", "degraded", "unavailable", "degraded"]),
        ({}, ["unavailable"] * 4),
    ],
)
def test_an_analyzer_is_as_well_as_its_parts(parts: dict[str, str], states: list[str]) -> None:
    assert list(service.analyzers(parts).values()) == states


def test_metrics_count_by_template_and_never_by_path(client: FlaskClient) -> None:
    client.get("/api/v1/system/jobs?x=1")
    client.get("/nowhere/at/all")
    client.post("/api/v1/system/jobs/0198c0de-0000-7000-8000-000000000000/retry")
    text = client.get("/metrics").text
    expected = [
        'hefesto_http_requests_total{endpoint="/api/v1/system/jobs",method="GET",status="422"} 1.0',
        'hefesto_http_requests_total{endpoint="unknown",method="GET",status="404"} 1.0',
        'endpoint="/api/v1/system/jobs/<uuid:job_id>/retry",method="POST",status="404"} 1.0',
        'hefesto_http_request_duration_seconds_count{endpoint="unknown",method="GET"} 1.0',
        f'hefesto_build_info{{version="{__version__}"}} 1.0',
        'hefesto_queue_depth{kind="analysis"} 0.0',
    ]
    for line in expected:
        assert line in text
    assert "0198c0de" not in text
    assert "/nowhere" not in text


def test_metrics_are_for_this_machine_unless_everybody_may_call(make_app: Any, tmp_path: Path) -> None:
    afar = {"REMOTE_ADDR": "203.0.113.9"}
    closed = make_app(all_settings.load({}, tmp_path)).test_client().get("/metrics", environ_base=afar)
    assert closed.status_code == 403
    error_of(closed, "INSUFFICIENT_PERMISSIONS")
    opened = make_app(all_settings.load({"HEFESTO_AUTH": "open"}, tmp_path)).test_client()
    assert opened.get("/metrics", environ_base=afar).status_code == 200


def test_a_watch_tells_the_latest_outcome() -> None:
    outcomes = iter([None, OSError("gone"), None])

    def check() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    watch = Watch(check, every_seconds=3600)
    assert [watch.look() for _ in range(3)] == [True, False, True]
    assert watch.checked_at is not None
    watch.stop()
