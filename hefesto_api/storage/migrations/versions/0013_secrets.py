"""Which keys secrets at rest are encrypted with, and what signed requests are checked with.

Secrets that earlier versions stored as they were are sealed by the service when it starts: a revision has no
keys. Going back leaves them sealed, so that what they let in is refused until they are entered anew.
"""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = ("secret_keys", "kept_keys", "signing_secrets", "seen_signatures")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "secret_keys",
        sa.Column("key_id", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("given_up_at", UtcDateTime(), nullable=True),
        _key("secret_keys", "key_id"),
    )
    op.create_table(
        "kept_keys",
        sa.Column("name", Text(), nullable=False),
        sa.Column("secret", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _key("kept_keys", "name"),
    )
    op.create_table(
        "signing_secrets",
        sa.Column("key_hash", Text(), nullable=False),
        sa.Column("secret", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_hash"],
            ["api_key_secrets.hash"],
            name=op.f("fk_signing_secrets_key_hash_api_key_secrets"),
            ondelete="CASCADE",
        ),
        _key("signing_secrets", "key_hash"),
    )
    op.create_table(
        "seen_signatures",
        sa.Column("digest", Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        _key("seen_signatures", "digest"),
    )
    op.create_index(op.f("ix_seen_signatures_expires_at"), "seen_signatures", ["expires_at"])


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))
