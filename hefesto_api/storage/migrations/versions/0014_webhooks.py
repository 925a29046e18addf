"""Outgoing webhooks: endpoints, deliveries, their health."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("webhooks", "webhook_health_metrics", "alert_delivery_queue", "event_cursors")
_PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    """Make the tables."""
    _webhooks()
    _metrics()
    _queue()
    op.create_table(
        "event_cursors",
        sa.Column("name", Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _key("event_cursors", "name"),
    )


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("url", Text(), nullable=False),
        sa.Column("description", Text(), nullable=False),
        sa.Column("format", Text(), nullable=False),
        sa.Column("events", Json(), nullable=False),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("projects", Json(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", Text(), nullable=True),
        sa.Column("secret", Text(), nullable=False),
        sa.Column("former_secret", Text(), nullable=True),
        sa.Column("former_until", UtcDateTime(), nullable=True),
        sa.Column("routing_key", Text(), nullable=True),
        sa.Column("health_check_interval_seconds", sa.Integer(), nullable=False),
        sa.Column("health_status", Text(), nullable=False),
        sa.Column("delivery_failures", sa.Integer(), nullable=False),
        sa.Column("probe_failures", sa.Integer(), nullable=False),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("last_failure_at", UtcDateTime(), nullable=True),
        sa.Column("next_check_at", UtcDateTime(), nullable=False),
        sa.Column("rests_until", UtcDateTime(), nullable=True),
        sa.Column("leased_by", Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        _belongs_to("webhooks", "project_id", "projects"),
        _key("webhooks", "id"),
    )
    op.create_index(op.f("ix_webhooks_project_id"), "webhooks", ["project_id"])


def _metrics() -> None:
    table = "webhook_health_metrics"
    op.create_table(
        table,
        sa.Column("id", Text(), nullable=False),
        sa.Column("webhook_id", Text(), nullable=False),
        sa.Column("delivery_id", Text(), nullable=True),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("is_success", sa.Boolean(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("response_ms", sa.Float(), nullable=False),
        sa.Column("error", Text(), nullable=True),
        sa.Column("measured_at", UtcDateTime(), nullable=False),
        _belongs_to(table, "webhook_id", "webhooks"),
        _key(table, "id"),
    )
    op.create_index(op.f("ix_webhook_health_metrics_webhook_id_id"), table, ["webhook_id", "id"])
    op.create_index(op.f("ix_webhook_health_metrics_delivery_id"), table, ["delivery_id"])
    op.create_index(op.f("ix_webhook_health_metrics_measured_at"), table, ["measured_at"])


def _queue() -> None:
    table = "alert_delivery_queue"
    op.create_table(
        table,
        sa.Column("id", Text(), nullable=False),
        sa.Column("webhook_id", Text(), nullable=False),
        sa.Column("event_id", Text(), nullable=False),
        sa.Column("event_type", Text(), nullable=False),
        sa.Column("event_at", UtcDateTime(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("subject", Text(), nullable=True),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.Column("status", Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", Text(), nullable=True),
        sa.Column("last_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        _belongs_to(table, "webhook_id", "webhooks"),
        _key(table, "id"),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f(f"uq_{table}_webhook_id_event_id")),
    )
    for name, columns in (
        ("due", ["webhook_id", "next_attempt_at"]),
        ("subject", ["webhook_id", "subject", "seq"]),
    ):
        op.create_index(
            f"ix_{table}_{name}", table, columns, sqlite_where=_PENDING, postgresql_where=_PENDING
        )
    op.create_index(op.f(f"ix_{table}_finished_at"), table, ["finished_at"])


def _belongs_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))
