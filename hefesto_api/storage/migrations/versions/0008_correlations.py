"""Correlations of alerts with code, and what was learned from them."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "code_facts",
    "correlations",
    "finding_incidents",
    "alert_suspects",
    "correlation_feedback",
    "learned_counts",
)


def upgrade() -> None:
    """Make the tables."""
    _answers()
    _named()
    _learning()


def downgrade() -> None:
    """Remove the tables."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _belongs_to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete="CASCADE")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _answers() -> None:
    op.create_table(
        "code_facts",
        sa.Column("sha256", Text(), nullable=False),
        sa.Column("variant", Text(), nullable=False),
        sa.Column("version", Text(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", UtcDateTime(), nullable=False),
        _key("code_facts", "sha256", "variant", "version"),
    )
    _index("code_facts", "kept_at")
    op.create_table(
        "correlations",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("error_type", Text(), nullable=True),
        sa.Column("commit_hash", Text(), nullable=True),
        sa.Column("confidence_score", sa.Float(), nullable=False),
        sa.Column("correlation_found", sa.Boolean(), nullable=False),
        sa.Column("model_version", Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        _belongs_to("correlations", "project_id", "projects"),
        _belongs_to("correlations", "alert_id", "alerts"),
        _key("correlations", "id"),
    )
    _index("correlations", "project_id", "id")
    _index("correlations", "alert_id", "id")


def _named() -> None:
    op.create_table(
        "finding_incidents",
        sa.Column("finding_id", Text(), nullable=False),
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("correlation_id", Text(), nullable=False),
        sa.Column("match_confidence", sa.Float(), nullable=False),
        _belongs_to("finding_incidents", "finding_id", "findings"),
        _belongs_to("finding_incidents", "alert_id", "alerts"),
        _key("finding_incidents", "finding_id", "alert_id"),
    )
    _index("finding_incidents", "alert_id")
    op.create_table(
        "alert_suspects",
        sa.Column("alert_id", Text(), nullable=False),
        sa.Column("file_path", Text(), nullable=False),
        sa.Column("function_name", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("error_type", Text(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        _belongs_to("alert_suspects", "alert_id", "alerts"),
        _belongs_to("alert_suspects", "project_id", "projects"),
        _key("alert_suspects", "alert_id", "file_path", "function_name"),
    )
    _index("alert_suspects", "project_id", "file_path", "seen_at")


def _learning() -> None:
    op.create_table(
        "correlation_feedback",
        sa.Column("correlation_id", Text(), nullable=False),
        sa.Column("subject", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("verdict", Text(), nullable=False),
        sa.Column("comment", Text(), nullable=True),
        sa.Column("user", Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("lesson", Json(), nullable=False),
        sa.Column("is_taken", sa.Boolean(), nullable=False),
        sa.Column("replay", sa.LargeBinary(), nullable=False),
        _belongs_to("correlation_feedback", "correlation_id", "correlations"),
        _belongs_to("correlation_feedback", "project_id", "projects"),
        _key("correlation_feedback", "correlation_id", "subject"),
    )
    _index("correlation_feedback", "project_id", "updated_at")
    _index("correlation_feedback", "updated_at")
    op.create_table(
        "learned_counts",
        sa.Column("scope", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("key", Text(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        _key("learned_counts", "scope", "kind", "key"),
        sqlite_with_rowid=False,
    )
