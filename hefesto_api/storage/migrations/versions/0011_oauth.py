"""OAuth clients, codes and tokens; identities of other providers."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("oauth_clients", "oauth_grants", "oauth_codes", "oauth_refresh_tokens", "identities")


def upgrade() -> None:
    """Make the tables."""
    _clients()
    _given()
    _known()


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


def _clients() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("id", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("secret_hash", Text(), nullable=True),
        sa.Column("grant_types", Json(), nullable=False),
        sa.Column("redirect_uris", Json(), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("projects", Json(), nullable=True),
        sa.Column("tier", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=True),
        sa.Column("created_by", Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        _belongs_to("oauth_clients", "user_id", "users"),
        _key("oauth_clients", "id"),
    )
    _index("oauth_clients", "user_id", "id")


def _given() -> None:
    op.create_table(
        "oauth_grants",
        sa.Column("id", Text(), nullable=False),
        sa.Column("client_id", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=True),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        _belongs_to("oauth_grants", "client_id", "oauth_clients"),
        _belongs_to("oauth_grants", "user_id", "users"),
        _key("oauth_grants", "id"),
    )
    op.create_table(
        "oauth_codes",
        sa.Column("hash", Text(), nullable=False),
        sa.Column("client_id", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("redirect_uri", Text(), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("challenge", Text(), nullable=False),
        sa.Column("grant_id", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _belongs_to("oauth_codes", "client_id", "oauth_clients"),
        _belongs_to("oauth_codes", "user_id", "users"),
        _key("oauth_codes", "hash"),
    )
    for table in ("oauth_grants", "oauth_codes"):
        for column in ("client_id", "user_id", "expires_at"):
            _index(table, column)
    op.create_table(
        "oauth_refresh_tokens",
        sa.Column("hash", Text(), nullable=False),
        sa.Column("grant_id", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _belongs_to("oauth_refresh_tokens", "grant_id", "oauth_grants"),
        _key("oauth_refresh_tokens", "hash"),
    )
    _index("oauth_refresh_tokens", "grant_id")


def _known() -> None:
    op.create_table(
        "identities",
        sa.Column("issuer", Text(), nullable=False),
        sa.Column("subject", Text(), nullable=False),
        sa.Column("user_id", Text(), nullable=False),
        sa.Column("email", Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _belongs_to("identities", "user_id", "users"),
        _key("identities", "issuer", "subject"),
    )
    _index("identities", "user_id")
