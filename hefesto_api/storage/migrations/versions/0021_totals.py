"""Totals over all projects, beside the counts of each: what a summary of everything reads."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage import rollups
from hefesto_api.storage.base import Text

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = {
    "finding_totals": (
        ("status", "severity", "analyzer", "rule_id", "reason"),
        ("findings", "certainty"),
    ),
    "daily_totals": (("day", "analyzer", "severity"), ("opened", "resolved", "change", "certainty")),
}


def upgrade() -> None:
    """Make the tables, and add up what is there."""
    for name, (keys, numbers) in _TABLES.items():
        op.create_table(
            name,
            *(sa.Column(key, Text(), nullable=False) for key in keys),
            *(sa.Column(number, sa.BigInteger(), nullable=False) for number in numbers),
            sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
    # A later revision that changes these tables has to put today's statements here.
    rollups.add_up(op.get_bind())


def downgrade() -> None:
    """Remove the tables; the counts of each project stay."""
    for name in reversed(_TABLES):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        for table in ("finding_counts", "daily_counts"):
            for event in ("insert", "update", "delete"):
                op.execute(f"DROP FUNCTION IF EXISTS {table}_counted_{event}()")
