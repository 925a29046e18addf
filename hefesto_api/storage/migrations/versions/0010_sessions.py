"""Sessions: refresh families, second factors, throttles, tickets, signing keys."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("signing_keys",)


def upgrade() -> None:
    """Make the tables."""
    _signing_keys()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        _key("signing_keys", "id"),
    )
