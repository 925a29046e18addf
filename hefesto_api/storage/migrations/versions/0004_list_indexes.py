"""The lists' indexes: two that serve every severity and order, and files found whatever their branch."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LISTED = ["status", "severity_rank", "last_seen", "id", "rule_id"]
_NEW = {
    "ix_findings_of_project": ["project_id", *_LISTED],
    "ix_findings_of_all": _LISTED,
    "ix_findings_project_id_file_path_branch": ["project_id", "file_path", "branch"],
}
_OLD = {
    "ix_findings_project_id_status_last_seen_id": ["project_id", "status", "last_seen", "id"],
    "ix_findings_project_id_status_severity_rank_last_seen": [
        "project_id",
        "status",
        "severity_rank",
        "last_seen",
    ],
    "ix_findings_project_id_branch_file_path": ["project_id", "branch", "file_path"],
    "ix_findings_status_last_seen_id": ["status", "last_seen", "id"],
}


def upgrade() -> None:
    """Put the new indexes in the place of the old ones."""
    _replace(_OLD, _NEW)


def downgrade() -> None:
    """Put the old indexes back."""
    _replace(_NEW, _OLD)


def _replace(gone: dict[str, list[str]], made: dict[str, list[str]]) -> None:
    for name in gone:
        op.drop_index(name, table_name="findings")
    for name, columns in made.items():
        op.create_index(name, "findings", columns)
