"""Alerts that were parted, maintenance windows, proofs of resolution."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Blob, Json, Serial, Text, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLES = ("alert_occurrences", "alert_samples", "alert_rules", "maintenance_windows")
_COLUMNS = {"merged_into": Text(), "split_from": Text(), "proof": Json(), "maintenance_id": Text()}


def upgrade() -> None:
    """Make the tables."""
    _occurrences()
    _samples()
    _rules()
    _windows()
    for name, kind in _COLUMNS.items():
        op.add_column("alerts", sa.Column(name, kind, nullable=True))
    _index("alerts", "maintenance_id")


def downgrade() -> None:
    """Remove the tables."""
    op.drop_index(op.f("ix_alerts_maintenance_id"), "alerts")
    for name in reversed(_COLUMNS):
        op.drop_column("alerts", name)
    for name in reversed(_TABLES):
        op.drop_table(name)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _of(table: str, other: str, column: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _occurrences() -> None:
    table = "alert_occurrences"
    op.create_table(
        table,
        sa.Column("id", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("source", Text(), nullable=False),
        sa.Column("sender_id", Text(), nullable=False),
        sa.Column("alert_key", Text(), nullable=False),
        sa.Column("group_key", Text(), nullable=True),
        sa.Column("severity", Text(), nullable=False),
        sa.Column("severity_rank", sa.SmallInteger(), nullable=False),
        sa.Column("message", Text(), nullable=False),
        sa.Column("release", Text(), nullable=True),
        sa.Column("commit_hash", Text(), nullable=True),
        sa.Column("affected_users", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", Text(), nullable=False),
        sa.Column("variant", Text(), nullable=False),
        sa.Column("plain_message", Text(), nullable=False),
        sa.Column("stack", Text(), nullable=False),
        sa.Column("error_type", Text(), nullable=False),
        sa.Column("service_name", Text(), nullable=False),
        sa.Column("environment", Text(), nullable=False),
        sa.Column("sender_group", Text(), nullable=False),
        _of(table, "alerts", "alert_id"),
        _key(table, "id"),
    )
    _index(table, "alert_id", "occurred_at", "id")
    _index(table, "project_id", "fingerprint")
    _index(table, "received_at")


def _samples() -> None:
    table = "alert_samples"
    op.create_table(
        table,
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("variant", Text(), nullable=False),
        sa.Column("incoming", Blob(), nullable=False),
        _of(table, "alerts", "alert_id"),
        _key(table, "alert_id", "variant"),
    )


def _rules() -> None:
    table = "alert_rules"
    op.create_table(
        table,
        sa.Column("id", Serial, nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("fingerprint", Text(), nullable=False),
        sa.Column("trait", Text(), nullable=False),
        sa.Column("value", Text(), nullable=False),
        sa.Column("target", Text(), nullable=False),
        sa.Column("made_by", Text(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        _of(table, "projects", "project_id"),
        _key(table, "id"),
        sqlite_autoincrement=True,
    )
    _index(table, "project_id", "fingerprint")
    _index(table, "project_id", "target")


def _windows() -> None:
    table = "maintenance_windows"
    op.create_table(
        table,
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("service_name", Text(), nullable=True),
        sa.Column("environment", Text(), nullable=True),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("comment", Text(), nullable=True),
        sa.Column("created_by", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        _of(table, "projects", "project_id"),
        _key(table, "id"),
    )
    _index(table, "ends_at")
    _index(table, "project_id")
