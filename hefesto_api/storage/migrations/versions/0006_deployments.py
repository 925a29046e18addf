"""Deployments: which code ran where and when."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = (
    ("project_id", "environment", "deployed_at", "id"),
    ("project_id", "release"),
    ("deployed_at", "id"),
    ("verdict_due_at",),
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deployments",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("environment", Text(), nullable=False),
        sa.Column("commit_hash", Text(), nullable=True),
        sa.Column("release", Text(), nullable=True),
        sa.Column("deployed_at", UtcDateTime(), nullable=False),
        sa.Column("source", Text(), nullable=False),
        sa.Column("details", Json(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("verdict_due_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_deployments_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    for columns in _INDEXES:
        op.create_index(op.f(f"ix_deployments_{'_'.join(columns)}"), "deployments", list(columns))
    _verdicts()


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("deployment_verdicts")
    op.drop_table("deployments")


def _verdicts() -> None:
    op.create_table(
        "deployment_verdicts",
        sa.Column("deployment_id", Text(), nullable=False),
        sa.Column("after_hours", sa.Integer(), nullable=False),
        sa.Column("verdict", Text(), nullable=False),
        sa.Column("alerts_before", sa.Integer(), nullable=False),
        sa.Column("alerts_after", sa.Integer(), nullable=False),
        sa.Column("new_alerts", sa.Integer(), nullable=False),
        sa.Column("window_seconds", sa.Integer(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
            name=op.f("fk_deployment_verdicts_deployment_id_deployments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deployment_id", "after_hours", name=op.f("pk_deployment_verdicts")),
    )
