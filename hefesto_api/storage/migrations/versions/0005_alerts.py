"""Alerts, their sources, and what came in."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITING = sa.text("finished_at IS NULL")
_TABLES = (
    "alerts",
    "alert_history",
    "alert_deliveries",
    "alert_groups",
    "alert_sources",
    "intake",
    "intake_bodies",
)


def upgrade() -> None:
    """Make the tables."""
    _alerts()
    _history()
    _deliveries()
    _groups()
    _sources()
    _intake()
    _bodies()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("source", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("group_id", Text(), nullable=True),
        sa.Column("fingerprint", Text(), nullable=False),
        sa.Column("open_key", Text(), nullable=True),
        sa.Column("status", Text(), nullable=False),
        sa.Column("severity", Text(), nullable=False),
        sa.Column("severity_rank", sa.SmallInteger(), nullable=False),
        sa.Column("title", Text(), nullable=False),
        sa.Column("error_type", Text(), nullable=True),
        sa.Column("message", Text(), nullable=False),
        sa.Column("service_name", Text(), nullable=True),
        sa.Column("environment", Text(), nullable=True),
        sa.Column("release", Text(), nullable=True),
        sa.Column("commit_hash", Text(), nullable=True),
        sa.Column("affected_users", sa.BigInteger(), nullable=True),
        sa.Column("occurrence_count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.Column("correlation_id", Text(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", Text(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", Text(), nullable=True),
        sa.Column("comment", Text(), nullable=True),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("regression_of", Text(), nullable=True),
        sa.Column("incoming", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alerts_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("open_key", name=op.f("uq_alerts_open_key")),
    )
    op.create_index(op.f("ix_alerts_last_seen_id"), "alerts", ["last_seen", "id"])
    op.create_index(op.f("ix_alerts_project_id_fingerprint"), "alerts", ["project_id", "fingerprint"])
    op.create_index(op.f("ix_alerts_project_id_last_seen_id"), "alerts", ["project_id", "last_seen", "id"])
    op.create_index(
        op.f("ix_alerts_project_id_status_last_seen_id"),
        "alerts",
        ["project_id", "status", "last_seen", "id"],
    )
    op.create_index(op.f("ix_alerts_status_last_seen_id"), "alerts", ["status", "last_seen", "id"])


def _history() -> None:
    op.create_table(
        "alert_history",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("action", Text(), nullable=False),
        sa.Column("user", Text(), nullable=True),
        sa.Column("details", Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_history_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_history")),
    )
    op.create_index(op.f("ix_alert_history_alert_id"), "alert_history", ["alert_id"])


def _deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("alert_key", Text(), nullable=False),
        sa.Column("news_key", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_alert_deliveries_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "alert_key", "news_key", name=op.f("pk_alert_deliveries")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_alert_deliveries_seen_at"), "alert_deliveries", ["seen_at"])


def _groups() -> None:
    op.create_table(
        "alert_groups",
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("group_key", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("firing", sa.Boolean(), nullable=False),
        sa.Column("fired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_groups_alert_id_alerts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_alert_groups_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "group_key", name=op.f("pk_alert_groups")),
    )
    op.create_index(op.f("ix_alert_groups_alert_id"), "alert_groups", ["alert_id"])


def _sources() -> None:
    op.create_table(
        "alert_sources",
        sa.Column("id", Text(), nullable=False),
        sa.Column("source", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("secret", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_alert_sources_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_sources")),
        sa.UniqueConstraint("source", "project_id", name=op.f("uq_alert_sources_source_project_id")),
    )
    op.create_index(op.f("ix_alert_sources_project_id"), "alert_sources", ["project_id"])


def _intake() -> None:
    op.create_table(
        "intake",
        sa.Column("id", Text(), nullable=False),
        sa.Column("source", Text(), nullable=False),
        sa.Column("source_id", Text(), nullable=True),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("replay_key", Text(), nullable=True),
        sa.Column("headers", Json(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("status", Text(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake")),
        sa.UniqueConstraint("replay_key", name=op.f("uq_intake_replay_key")),
    )
    op.create_index(op.f("ix_intake_finished_at"), "intake", ["finished_at"])
    op.create_index(
        "ix_intake_waiting", "intake", ["id", "size"], sqlite_where=_WAITING, postgresql_where=_WAITING
    )


def _bodies() -> None:
    op.create_table(
        "intake_bodies",
        sa.Column("id", Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["intake.id"], name=op.f("fk_intake_bodies_id_intake"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake_bodies")),
    )
