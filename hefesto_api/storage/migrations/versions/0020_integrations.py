"""What leaves the service for other services: how far exports came, advice that was given and its cost."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text, UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "export_cursors",
        sa.Column("name", Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("lease_token", Text),
        sa.Column("leased_by", Text),
        sa.Column("lease_expires_at", UtcDateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("rests_until", UtcDateTime),
        sa.Column("last_error", Text),
        sa.Column("last_success_at", UtcDateTime),
        sa.Column("rows_sent", sa.BigInteger, nullable=False),
        sa.Column("rows_refused", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_export_cursors"),
    )
    op.create_table(
        "advice",
        sa.Column("id", Text, nullable=False),
        sa.Column("correlation_id", Text, nullable=False),
        sa.Column("input_hash", Text, nullable=False),
        sa.Column("model", Text, nullable=False),
        sa.Column("text", Text, nullable=False),
        sa.Column("is_cut", sa.Boolean, nullable=False),
        sa.Column("with_code", sa.Boolean, nullable=False),
        sa.Column("cost_micros", sa.BigInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_advice"),
        sa.ForeignKeyConstraint(
            ["correlation_id"],
            ["correlations.id"],
            name="fk_advice_correlation_id_correlations",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("correlation_id", "input_hash", name="uq_advice_correlation_id_input_hash"),
    )
    op.create_table(
        "advice_months",
        sa.Column("month", Text, nullable=False),
        sa.Column("spent_micros", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("last_error", Text),
        sa.Column("last_called_at", UtcDateTime),
        sa.PrimaryKeyConstraint("month", name="pk_advice_months"),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("advice_months", "advice", "export_cursors"):
        op.drop_table(name)
