"""What the service measures of itself: minutes, baselines, anomalies."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = (
    "request_minutes",
    "gauge_minutes",
    "metric_points",
    "baselines",
    "anomalies",
    "baseline_recalc_schedule",
    "scheduled_job_execution",
)
_COUNTS = ("requests", "refused", "errors", *(f"took_{number}" for number in range(21)))


def upgrade() -> None:
    """Make the tables."""
    _minutes()
    _measures()
    _runs()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _all(kind: Any, *names: str, nullable: bool = False) -> Iterator[sa.Column[Any]]:
    for name in names:
        yield sa.Column(name, kind, nullable=nullable)


def _minutes() -> None:
    op.create_table(
        "request_minutes",
        *_all(sa.Integer(), "step"),
        *_all(sa.BigInteger(), "at"),
        *_all(Text(), "route"),
        *_all(sa.BigInteger(), *_COUNTS),
        *_all(sa.Float(), "seconds"),
        _key("request_minutes", "step", "at", "route"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gauge_minutes",
        *_all(sa.Integer(), "step"),
        *_all(sa.BigInteger(), "at"),
        *_all(Text(), "name"),
        *_all(sa.BigInteger(), "samples"),
        *_all(sa.Float(), "total", "most"),
        _key("gauge_minutes", "step", "at", "name"),
        sqlite_with_rowid=False,
    )


def _measures() -> None:
    op.create_table(
        "metric_points",
        *_all(Text(), "metric", "project_id"),
        *_all(UtcDateTime(), "at"),
        *_all(sa.Float(), "value"),
        _key("metric_points", "metric", "project_id", "at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "baselines",
        *_all(Text(), "metric", "project_id"),
        *_all(Json(), "known", "state"),
        *_all(UtcDateTime(), "learned_at", nullable=True),
        *_all(UtcDateTime(), "seen_at"),
        *_all(sa.Float(), "value"),
        *_all(Text(), "anomaly_id", nullable=True),
        _key("baselines", "metric", "project_id"),
    )
    op.create_table(
        "anomalies",
        *_all(Text(), "id", "metric", "project_id"),
        *_all(UtcDateTime(), "started_at", "detected_at"),
        *_all(UtcDateTime(), "ended_at", nullable=True),
        *_all(sa.Float(), "value", "expected", "lower", "upper", "score"),
        *_all(Text(), "severity", "status"),
        _key("anomalies", "id"),
    )
    _index("anomalies", "detected_at")


def _runs() -> None:
    op.create_table(
        "baseline_recalc_schedule",
        *_all(Text(), "metric", "project_id"),
        *_all(sa.Integer(), "every_seconds"),
        *_all(UtcDateTime(), "next_run_at"),
        *_all(UtcDateTime(), "last_run_at", nullable=True),
        *_all(Text(), "last_status", "last_error", nullable=True),
        _key("baseline_recalc_schedule", "metric", "project_id"),
    )
    _index("baseline_recalc_schedule", "next_run_at")
    op.create_table(
        "scheduled_job_execution",
        *_all(Text(), "id", "schedule", "kind", "job_id"),
        *_all(UtcDateTime(), "started_at", "ended_at"),
        *_all(Text(), "status"),
        *_all(Text(), "error", nullable=True),
        _key("scheduled_job_execution", "id"),
    )
    _index("scheduled_job_execution", "ended_at")
