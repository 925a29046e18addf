"""Sessions: refresh families, second factors, throttles, tickets, signing keys."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = (
    "sessions",
    "refresh_tokens",
    "second_factors",
    "backup_codes",
    "throttles",
    "tickets",
    "signing_keys",
)


def upgrade() -> None:
    """Make the tables."""
    _sessions()
    _factors()
    _throttles()
    _tickets()
    _signing_keys()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _belongs_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("ip_address", Text(), nullable=False),
        sa.Column("network", Text(), nullable=False),
        sa.Column("user_agent", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("end_reason", Text(), nullable=True),
        _belongs_to("sessions", "user_id", "users"),
        _key("sessions", "id"),
    )
    _index("sessions", "user_id", "network")
    _index("sessions", "expires_at")
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", Text(), nullable=False),
        sa.Column("session_id", Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _belongs_to("refresh_tokens", "session_id", "sessions"),
        _key("refresh_tokens", "hash"),
    )
    _index("refresh_tokens", "session_id")
    _index("refresh_tokens", "expires_at")


def _factors() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("sealed", Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _belongs_to("second_factors", "user_id", "users"),
        _key("second_factors", "user_id"),
    )
    op.create_table(
        "backup_codes",
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("hash", Text(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _belongs_to("backup_codes", "user_id", "users"),
        _key("backup_codes", "user_id", "hash"),
    )


def _throttles() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("forgotten_at", UtcDateTime(), nullable=False),
        _key("throttles", "key"),
    )
    _index("throttles", "forgotten_at")


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("hash", Text(), nullable=False),
        sa.Column("holder", Json(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        _key("tickets", "hash"),
    )
    _index("tickets", "expires_at")


def _signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _key("signing_keys", "id"),
    )
