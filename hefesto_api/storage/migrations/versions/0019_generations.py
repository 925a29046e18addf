"""Generations: when what answers are made of was last changed, for answers that are kept."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; the first change that is made fills it."""
    op.create_table(
        "generations",
        sa.Column("kind", Text, nullable=False),
        sa.Column("scope", Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("kind", "scope", name="pk_generations"),
    )
    op.create_index("ix_generations_value", "generations", ["value"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("generations")
