"""The worker: jobs are done once, tried again, given up, taken over from the dead, left when it stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api import worker as workers_module
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import execution, service
from hefesto_api.features.analysis.run import Hooks, Interrupted
from hefesto_api.runtime import Runtime
from hefesto_api.storage import analyses, jobs, workers
from hefesto_api.worker import Worker
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

CODE = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
NEVER = 2_000_000_000  # a process number that no system gives


@pytest.fixture
def runtime(db_url: str, tmp_path: Path) -> Iterator[Runtime]:  # noqa: F811 - the fixture of that name
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "run.py").write_text(CODE)
    environ = {"HEFESTO_DATABASE_URL": db_url, "HEFESTO_ANALYSIS_PROCESSES": "1"}
    built = runtimes.build(all_settings.load(environ, tmp_path))
    yield built
    built.close()


@pytest.fixture
def worker(runtime: Runtime) -> Iterator[Worker]:
    made = Worker(runtime, slots=1)
    yield made
    made.close()


def submitted(runtime: Runtime, tmp_path: Path, **wanted: Any) -> str:
    root = tmp_path / "src"
    return service.submit_path(runtime.db, [root], {"path": str(root), **wanted}).id


def job_of(runtime: Runtime) -> jobs.Job:
    with runtime.db.read() as session:
        return jobs.page(session, limit=1)[0]


def test_an_analysis_is_carried_out_and_its_job_ends(
    runtime: Runtime, worker: Worker, tmp_path: Path
) -> None:
    analysis_id = submitted(runtime, tmp_path)
    assert worker.drain() == 2  # and the index of its words
    with runtime.db.read() as session:
        record = analyses.get(session, analysis_id)
    assert (record.status, record.files_analyzed) == ("completed", 1)
    assert record.high >= 1
    assert job_of(runtime).status == "succeeded"
    assert worker.drain() == 0


def test_a_job_whose_analysis_is_gone_is_tried_again_later(runtime: Runtime, worker: Worker) -> None:
    with runtime.db.write() as session:
        jobs.enqueue(session, "analysis", {"analysis_id": "none"}, max_attempts=2)
    assert worker.drain() == 1
    job = job_of(runtime)
    assert (job.status, job.attempts) == ("queued", 1)
    assert "NotFound" in (job.last_error or "")
    assert job.run_at > job.created_at


def test_what_is_given_up_is_told_to_those_who_wait(runtime: Runtime, worker: Worker, tmp_path: Path) -> None:
    analysis_id = submitted(runtime, tmp_path)
    with runtime.db.write() as session:
        session.execute(jobs.jobs.update().values(max_attempts=1))
    job = jobs.lease(runtime.db, "somebody", ["analysis"], 0.0)
    assert job is not None
    worker.adopt()
    with runtime.db.read() as session:
        record = analyses.get(session, analysis_id)
    assert record.status == "failed"
    assert record.error is not None
    assert "1 attempts" in record.error["message"]


def test_the_jobs_of_a_dead_worker_of_this_host_come_back_at_once(
    runtime: Runtime, worker: Worker, tmp_path: Path
) -> None:
    submitted(runtime, tmp_path)
    with runtime.db.write() as session:
        dead = workers.register(session, workers_module.host_name(), NEVER, 1)
        elsewhere = workers.register(session, "another host", NEVER, 1)
    job = jobs.lease(runtime.db, dead.id, ["analysis"], 3600.0)
    assert job is not None
    worker.adopt()
    assert job_of(runtime).status == "queued"
    assert worker.drain() == 2  # and the index of its words
    with runtime.db.read() as session:
        left = {one.id for one in workers.alive(session, 3600)}
    assert dead.id not in left
    assert elsewhere.id in left


def test_it_works_until_it_is_stopped(runtime: Runtime, tmp_path: Path) -> None:
    worker = Worker(runtime, slots=2)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    analysis_id = submitted(runtime, tmp_path)
    assert service.wait(runtime.db, analysis_id, 30).status == "completed"
    worker.stop()
    thread.join(timeout=100)
    assert not thread.is_alive()
    with runtime.db.read() as session:
        assert workers.alive(session, 3600) == []


def test_a_cancelled_analysis_is_not_begun(runtime: Runtime, worker: Worker, tmp_path: Path) -> None:
    analysis_id = submitted(runtime, tmp_path)
    assert service.cancel(runtime.db, analysis_id).status == "cancelled"
    worker.drain()
    with runtime.db.read() as session:
        record = analyses.get(session, analysis_id)
    assert (record.status, record.files_analyzed) == ("cancelled", 0)


def test_an_interrupted_analysis_goes_on_and_counts_nothing_twice(
    runtime: Runtime, worker: Worker, tmp_path: Path
) -> None:
    for number in range(200):
        (tmp_path / "src" / f"more{number}.py").write_text(f"# {number}\n{CODE}")
    analysis_id = submitted(runtime, tmp_path)
    stop = threading.Event()
    engine = workers_module.engine_of(runtime.settings)
    hooks = Hooks(progress=lambda done, total: stop.set(), stop=stop)
    with pytest.raises(Interrupted):
        execution.execute(runtime.db, engine, analysis_id, hooks)
    engine.close()
    with runtime.db.read() as session:
        halfway = analyses.get(session, analysis_id)
        chunks = len(analyses.chunks(session, analysis_id))
    assert halfway.status == "running"
    assert 0 < halfway.files_done < 201
    assert chunks == 1
    assert worker.drain() == 2  # and the index of its words
    with runtime.db.read() as session:
        record = analyses.get(session, analysis_id)
        found = list(service.findings_of(session, record, Severity.LOW))
    assert (record.status, record.files_analyzed) == ("completed", 201)
    assert len({one.id for one in found}) == len(found)
    assert len({one.file for one in found}) == 201


def test_an_unknown_analysis_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        service.cancel(runtime.db, "none")
