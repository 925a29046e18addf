"""What the service is made of, for its operators."""

from __future__ import annotations

import platform
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock
from hefesto_api.features.health.service import ALIVE_SECONDS, resident_bytes
from hefesto_api.storage import anomalies, executions, jobs, migrate, schedules, workers
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.database import Database

_PARTS = ("flask", "flask-smorest", "marshmallow", "sqlalchemy", "gunicorn", "ruff", "tree-sitter")
_SHOWN = ("queued", "running", "dead")


def info(runtime: Runtime, pid: int) -> dict[str, Any]:
    """Return versions, the process, the database and the queue in numbers."""
    with runtime.db.read() as session:
        counts = jobs.counts(session)
        working = len(workers.alive(session, ALIVE_SECONDS))
    return {
        "version": __version__,
        "versions": {
            "python": platform.python_version(),
            **{part: metadata.version(part) for part in _PARTS},
        },
        "process": _process(runtime, pid),
        "database": database(runtime.db),
        "schema_revision": migrate.current(runtime.db),
        "queue_depth": counts.get("queued", 0),
        "worker_count": working,
        "feature_flags": {
            "iris": True,
            "webhooks": True,
            "cache": runtime.answers.is_on,
            "redis": bool(runtime.settings.redis_url),
            "access_control": runtime.settings.auth == "required",
            "llm": runtime.settings.llm,
            "bigquery": runtime.settings.bigquery,
        },
    }


def job_overview(db: Database, limit: int) -> dict[str, Any]:
    """Return the latest jobs that wait, run or are dead, and the schedules with their last runs."""
    with db.read() as session:
        shown = {status: jobs.page(session, status=status, limit=limit) for status in _SHOWN}
        return {
            **shown,
            "scheduled": schedules.every(session),
            "executions": executions.latest(session, limit),
            "baselines": anomalies.recalculations(session)[:limit],
            "counts": jobs.counts(session),
        }


def retry(db: Database, job_id: str) -> jobs.Job:
    """Queue a dead job anew; raises NotFound, Conflict."""
    with db.write() as session:
        jobs.retry(session, job_id)
        job = jobs.get(session, job_id)
        audit.note("job.retried", "job", job_id, {"kind": job.kind})
        return job


def _process(runtime: Runtime, pid: int) -> dict[str, Any]:
    return {
        "pid": pid,
        "started_at": clock.rfc3339(runtime.started_at),
        "uptime_seconds": round((clock.now() - runtime.started_at).total_seconds(), 3),
        "threads": threading.active_count(),
        "memory_bytes": resident_bytes(),
    }


def database(db: Database) -> dict[str, Any]:
    """Return what the database is, and how many bytes it takes."""
    with db.read() as session:
        size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if not db.is_sqlite:
            size = "SELECT pg_database_size(current_database())"
        version = "SELECT sqlite_version()" if db.is_sqlite else "SHOW server_version"
        return {
            "kind": "sqlite" if db.is_sqlite else "postgresql",
            "version": session.exec_driver_sql(version).scalar_one(),
            "size_bytes": session.exec_driver_sql(size).scalar_one(),
        }
