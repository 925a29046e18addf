"""Commits by time and changes by commit, for hotspots; when an alert's occurrences were told of last.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEXES = {"history_commits": ["history_id", "time"], "history_changes": ["history_id", "ordinal", "path"]}


def upgrade() -> None:
    """Make the indexes and the column."""
    for table, columns in _INDEXES.items():
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)
    op.add_column("alerts", sa.Column("told_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("alerts", "told_at")
    for table, columns in _INDEXES.items():
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table)
