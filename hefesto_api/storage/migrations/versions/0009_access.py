"""API keys with their usage, and users."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("users", "api_keys", "api_key_secrets", "api_key_usage")


def upgrade() -> None:
    """Make the tables."""
    _users()
    _keys()


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


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", Text(), nullable=False),
        sa.Column("email", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("password_hash", Text(), nullable=True),
        sa.Column("role", Text(), nullable=False),
        sa.Column("projects", Json(), nullable=True),
        sa.Column("tier", Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("token_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("last_login_at", UtcDateTime(), nullable=True),
        _key("users", "id"),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    _index("users", "role")


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("hint", Text(), nullable=False),
        sa.Column("role", Text(), nullable=True),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("projects", Json(), nullable=True),
        sa.Column("tier", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=True),
        sa.Column("created_by", Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("require_signature", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        _belongs_to("api_keys", "user_id", "users"),
        _key("api_keys", "id"),
    )
    _index("api_keys", "user_id", "id")
    _index("api_keys", "role")
    op.create_table(
        "api_key_secrets",
        sa.Column("hash", Text(), nullable=False),
        sa.Column("key_id", Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _belongs_to("api_key_secrets", "key_id", "api_keys"),
        _key("api_key_secrets", "hash"),
    )
    _index("api_key_secrets", "key_id")
    op.create_table(
        "api_key_usage",
        sa.Column("key_id", Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("route", Text(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        _belongs_to("api_key_usage", "key_id", "api_keys"),
        _key("api_key_usage", "key_id", "day", "route"),
        sqlite_with_rowid=False,
    )
