"""Identity: what people said about which findings are one; and findings ignored until an incident."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table of links and the mark."""
    op.add_column(
        "findings", sa.Column("until_incident", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_table(
        "finding_links",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("finding_id", Text(), nullable=False),
        sa.Column("other_id", Text(), nullable=False),
        sa.Column("prints", sa.LargeBinary(), nullable=False),
        sa.Column("place", Text(), nullable=False),
        sa.Column("before", Json(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["finding_id"],
            ["findings.id"],
            name=op.f("fk_finding_links_finding_id_findings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_finding_links_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_links")),
        sa.UniqueConstraint(
            "finding_id", "other_id", "kind", name=op.f("uq_finding_links_finding_id_other_id_kind")
        ),
    )
    op.create_index(op.f("ix_finding_links_project_id"), "finding_links", ["project_id"], unique=False)
    op.create_index(op.f("ix_finding_links_other_id"), "finding_links", ["other_id"], unique=False)


def downgrade() -> None:
    """Forget the links and the marks; the findings stay."""
    op.drop_table("finding_links")
    op.drop_column("findings", "until_incident")
