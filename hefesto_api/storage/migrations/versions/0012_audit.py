"""The audit log."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("audit_logs", "audit_strands", "audit_seals", "audit_keys")


def upgrade() -> None:
    """Make the tables."""
    _entries()
    _ends()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _entries() -> None:
    op.create_table(
        "audit_logs",
        sa.Column("strand", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", Text(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("user_name", Text(), nullable=False),
        sa.Column("credential", Text(), nullable=False),
        sa.Column("action", Text(), nullable=False),
        sa.Column("resource_type", Text(), nullable=False),
        sa.Column("resource_id", Text(), nullable=True),
        sa.Column("project", Text(), nullable=True),
        sa.Column("outcome", Text(), nullable=False),
        sa.Column("changes", Text(), nullable=False),
        sa.Column("ip_address", Text(), nullable=True),
        sa.Column("user_agent", Text(), nullable=True),
        sa.Column("request_id", Text(), nullable=True),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        _key("audit_logs", "strand", "number"),
        _unique("audit_logs", "id"),
        _unique("audit_logs", "previous_hash"),
        sqlite_with_rowid=False,
    )
    _index("audit_logs", "timestamp", "id")
    _index("audit_logs", "user_id", "timestamp")
    _index("audit_logs", "action", "timestamp")
    _index("audit_logs", "resource_id", "timestamp")
    _index("audit_logs", "request_id")


def _ends() -> None:
    op.create_table(
        "audit_strands",
        sa.Column("strand", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.Column("pruned", sa.BigInteger(), nullable=False),
        sa.Column("pruned_hash", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        _key("audit_strands", "strand"),
    )
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("heads", Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        _key("audit_seals", "number"),
        _unique("audit_seals", "previous_hash"),
    )
    op.create_table(
        "audit_keys",
        sa.Column("name", Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _key("audit_keys", "name"),
    )
