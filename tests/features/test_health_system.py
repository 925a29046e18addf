"""The routes for operators."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hefesto_api.storage import jobs, migrate, schedules
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.storage.database import Database

URL = "/api/v1/system"


def database(app: Flask) -> Database:
    found: Database = app.extensions["hefesto"].db
    return found


def test_info_tells_what_runs(client: FlaskClient, app: Flask) -> None:
    with database(app).write() as session:
        jobs.enqueue(session, "sweep", {})
    data = data_of(client.get(f"{URL}/info"))
    assert data["process"]["pid"] == os.getpid()
    assert data["database"]["kind"] == "sqlite"
    assert data["database"]["size_bytes"] > 0
    assert data["schema_revision"] == migrate.HEAD
    assert (data["queue_depth"], data["worker_count"]) == (1, 0)
    assert {"python", "flask", "sqlalchemy", "ruff"} <= set(data["versions"])


def test_jobs_are_shown_by_state_without_their_payload(client: FlaskClient, app: Flask) -> None:
    with database(app).write() as session:
        job_id = jobs.enqueue(session, "sweep", {"secret": "hunter2"})
        schedules.ensure(session, "purge", 3600)
    response = client.get(f"{URL}/jobs")
    data = data_of(response)
    assert [job["id"] for job in data["queued"]] == [job_id]
    assert (data["running"], data["dead"]) == ([], [])
    assert [schedule["name"] for schedule in data["scheduled"]] == ["purge"]
    assert data["counts"] == {"queued": 1}
    assert "hunter2" not in response.text


def test_a_dead_job_is_queued_anew(client: FlaskClient, app: Flask) -> None:
    with database(app).write() as session:
        job_id = jobs.enqueue(session, "sweep", {})
    waiting = client.post(f"{URL}/jobs/{job_id}/retry")
    assert waiting.status_code == 409
    error_of(waiting, "CONFLICT")
    with database(app).write() as session:
        session.execute(jobs.jobs.update().values(status="dead", attempts=5))
    data = data_of(client.post(f"{URL}/jobs/{job_id}/retry"))
    assert (data["id"], data["status"], data["attempts"]) == (job_id, "queued", 0)


def test_a_job_that_is_not_there_is_told(client: FlaskClient) -> None:
    missing = "0198c0de-0000-7000-8000-000000000000"
    response = client.post(f"{URL}/jobs/{missing}/retry")
    assert response.status_code == 404
    assert error_of(response, "RESOURCE_NOT_FOUND") == {"resource_type": "job", "resource_id": missing}
    assert client.post(f"{URL}/jobs/no-uuid/retry").status_code == 404
