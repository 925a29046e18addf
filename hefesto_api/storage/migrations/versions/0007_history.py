"""The history of code: commits, and which lines of which file each of them changed."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Text, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PARTS = ("history_commits", "history_paths", "history_changes")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "histories",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("key", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("root", Text(), nullable=False),
        sa.Column("place", Text(), nullable=False),
        sa.Column("inside", Text(), nullable=False),
        sa.Column("beneath", Text(), nullable=False),
        sa.Column("head", Text(), nullable=True),
        sa.Column("pending", Text(), nullable=True),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("low", sa.Integer(), nullable=True),
        sa.Column("top", sa.Integer(), nullable=False),
        sa.Column("cut", Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_histories_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_histories")),
        sa.UniqueConstraint("key", name=op.f("uq_histories_key")),
        sa.UniqueConstraint(
            "project_id", "inside", "beneath", name=op.f("uq_histories_project_id_inside_beneath")
        ),
    )
    _part(
        "history_commits",
        ["history_id", "ordinal"],
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_parent", sa.Integer(), nullable=False),
        sa.Column("other_parents", sa.LargeBinary(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("author", Text(), nullable=False),
        sa.Column("email", Text(), nullable=False),
        sa.Column("message", Text(), nullable=False),
        sa.UniqueConstraint("history_id", "hash", name=op.f("uq_history_commits_history_id_hash")),
    )
    _part(
        "history_paths",
        ["history_id", "number"],
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("path", Text(), nullable=False),
        sa.UniqueConstraint("history_id", "path", name=op.f("uq_history_paths_history_id_path")),
    )
    _part(
        "history_changes",
        ["history_id", "path", "ordinal"],
        sa.Column("path", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("other_path", sa.Integer(), nullable=True),
        sa.Column("what", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Remove the tables; they can be made anew from the repositories."""
    for name in (*reversed(_PARTS), "histories"):
        op.drop_table(name)


def _part(name: str, key: list[str], *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("history_id", _SERIAL, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["history_id"], ["histories.id"], name=op.f(f"fk_{name}_history_id_histories"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )
