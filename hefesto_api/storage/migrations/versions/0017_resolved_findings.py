"""What was resolved when: an index of the findings that are, for what a deployment took away."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_RESOLVED = sa.text("resolved_at IS NOT NULL")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_findings_resolved",
        "findings",
        ["project_id", "resolved_at"],
        sqlite_where=_RESOLVED,
        postgresql_where=_RESOLVED,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_findings_resolved", "findings")
