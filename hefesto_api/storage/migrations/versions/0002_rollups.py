"""Rollups: what stands open and what happened each day, kept with the findings."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage import counting, rollups
from hefesto_api.storage.base import Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = {
    "finding_counts": (
        ("status", "severity", "analyzer", "rule_id", "reason"),
        ("findings", "certainty"),
    ),
    "daily_counts": (("day", "analyzer", "severity"), ("opened", "resolved", "change", "certainty")),
    "file_counts": (("file_path",), ("critical", "high", "medium", "low", "weight")),
    "line_counts": (("branch", "day"), ("lines",)),
}


def upgrade() -> None:
    """Make the tables, and count what is there."""
    for name, (keys, numbers) in _TABLES.items():
        op.create_table(
            name,
            sa.Column("project_id", Text(), nullable=False),
            *(sa.Column(key, Text(), nullable=False) for key in keys),
            *(sa.Column(number, sa.BigInteger(), nullable=False) for number in numbers),
            sa.ForeignKeyConstraint(
                ["project_id"],
                ["projects.id"],
                name=op.f(f"fk_{name}_project_id_projects"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("project_id", *keys, name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
    # A later revision that changes these tables has to put today's statements here.
    rollups.count(op.get_bind())


def downgrade() -> None:
    """Remove the tables; the findings stay."""
    for name in reversed(_TABLES):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        for name in counting.NAMES:
            op.execute(f"DROP FUNCTION IF EXISTS {name}()")
