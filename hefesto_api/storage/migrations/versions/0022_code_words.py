"""Which few files of a project have a word: an index for correlations, made in the background.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Blob, Text, UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; its rows come with the next analyses, or with the next upkeep."""
    op.create_table(
        "code_words",
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("state", Text(), nullable=False),
        sa.Column("analysed_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("words", Blob(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_code_words_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_code_words")),
    )


def downgrade() -> None:
    """Remove it; what is in it is made anew."""
    op.drop_table("code_words")
