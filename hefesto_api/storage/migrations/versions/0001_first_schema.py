"""The first schema: projects, analyses, contents, findings, jobs, outbox, idempotency keys."""

import sqlalchemy as sa
from alembic import op

from hefesto_api.storage.base import Json, Text, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "projects",
    "batches",
    "analyses",
    "analysis_chunks",
    "analysis_inputs",
    "contents",
    "functions",
    "project_files",
    "findings",
    "finding_history",
    "jobs",
    "workers",
    "schedules",
    "outbox",
    "idempotency_keys",
)


def upgrade() -> None:
    """Make the tables."""
    _projects()
    _analyses()
    _contents()
    _findings()
    _jobs()
    _answers()


def downgrade() -> None:
    """Remove the tables, and with them everything."""
    for name in reversed(_TABLES):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS finding_history_append_only()")


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", Text(), nullable=False),
        sa.Column("slug", Text(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("root_path", Text(), nullable=True),
        sa.Column("repository_url", Text(), nullable=True),
        sa.Column("default_branch", Text(), nullable=True),
        sa.Column("service_names", Json(), nullable=False),
        sa.Column("path_mappings", Json(), nullable=False),
        sa.Column("revenue_per_user_usd", sa.Float(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("slug", name=op.f("uq_projects_slug")),
    )


def _analyses() -> None:
    op.create_table(
        "batches",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("total_paths", sa.Integer(), nullable=False),
        sa.Column("options", Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_batches_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(op.f("ix_batches_project_id"), "batches", ["project_id"], unique=False)
    op.create_table(
        "analyses",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("batch_id", Text(), nullable=True),
        sa.Column("batch_position", sa.Integer(), nullable=True),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("path", Text(), nullable=False),
        sa.Column("branch", Text(), server_default="", nullable=False),
        sa.Column("commit_hash", Text(), nullable=True),
        sa.Column("diff_base", Text(), nullable=True),
        sa.Column("options", Json(), nullable=False),
        sa.Column("status", Text(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error", Json(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("files_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("files_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("files_analyzed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lines_of_code", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("execution_time_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_issues", sa.Integer(), server_default="0", nullable=False),
        sa.Column("critical", sa.Integer(), server_default="0", nullable=False),
        sa.Column("high", sa.Integer(), server_default="0", nullable=False),
        sa.Column("medium", sa.Integer(), server_default="0", nullable=False),
        sa.Column("low", sa.Integer(), server_default="0", nullable=False),
        sa.Column("files_skipped", Json(), nullable=False),
        sa.Column("result_id", Text(), nullable=True),
        sa.Column("tool", Text(), server_default="hefesto", nullable=False),
        sa.Column("rules", Json(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_analyses_batch_id_batches"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_analyses_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analyses")),
    )
    op.create_index(
        op.f("ix_analyses_batch_id_batch_position"), "analyses", ["batch_id", "batch_position"], unique=False
    )
    op.create_index(op.f("ix_analyses_created_at"), "analyses", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_analyses_project_id_created_at"), "analyses", ["project_id", "created_at"], unique=False
    )
    op.create_table(
        "analysis_chunks",
        sa.Column("result_id", Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["analyses.id"],
            name=op.f("fk_analysis_chunks_result_id_analyses"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("result_id", "seq", name=op.f("pk_analysis_chunks")),
    )
    op.create_table(
        "analysis_inputs",
        sa.Column("analysis_id", Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("name", Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["analysis_id"],
            ["analyses.id"],
            name=op.f("fk_analysis_inputs_analysis_id_analyses"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("analysis_id", "seq", name=op.f("pk_analysis_inputs")),
    )


def _contents() -> None:
    op.create_table(
        "contents",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("sha256", Text(), nullable=False),
        sa.Column("variant", Text(), nullable=False),
        sa.Column("engine", Text(), nullable=False),
        sa.Column("language", Text(), nullable=True),
        sa.Column("lines_of_code", sa.Integer(), nullable=False),
        sa.Column("functions_count", sa.Integer(), nullable=False),
        sa.Column("flaw", Text(), nullable=True),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("shingles", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contents")),
        sa.UniqueConstraint("sha256", "variant", "engine", name=op.f("uq_contents_sha256_variant_engine")),
    )
    op.create_index(op.f("ix_contents_last_used_at"), "contents", ["last_used_at"], unique=False)
    op.create_table(
        "functions",
        sa.Column("content_id", _SERIAL, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("qualified_name", Text(), nullable=False),
        sa.Column("class_name", Text(), nullable=True),
        sa.Column("start_line", sa.Integer(), nullable=False),
        sa.Column("end_line", sa.Integer(), nullable=False),
        sa.Column("cyclomatic", sa.Integer(), nullable=False),
        sa.Column("cognitive", sa.Integer(), nullable=False),
        sa.Column("nesting", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Integer(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.id"], name=op.f("fk_functions_content_id_contents"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("content_id", "ordinal", name=op.f("pk_functions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "project_files",
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("branch", Text(), nullable=False),
        sa.Column("path", Text(), nullable=False),
        sa.Column("content_id", _SERIAL, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("analysis_id", Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.id"], name=op.f("fk_project_files_content_id_contents")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_project_files_project_id_projects"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project_id", "branch", "path", name=op.f("pk_project_files")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_project_files_content_id"), "project_files", ["content_id"], unique=False)


def _findings() -> None:
    op.create_table(
        "findings",
        sa.Column("id", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=False),
        sa.Column("branch", Text(), server_default="", nullable=False),
        sa.Column("file_path", Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("column", sa.Integer(), server_default="1", nullable=False),
        sa.Column("end_line", sa.Integer(), server_default="0", nullable=False),
        sa.Column("end_column", sa.Integer(), server_default="0", nullable=False),
        sa.Column("analyzer", Text(), nullable=False),
        sa.Column("tool", Text(), nullable=False),
        sa.Column("rule_id", Text(), nullable=False),
        sa.Column("severity", Text(), nullable=False),
        sa.Column("severity_rank", sa.SmallInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("description", Text(), nullable=False),
        sa.Column("recommendation", Text(), nullable=True),
        sa.Column("code_snippet", Text(), server_default="", nullable=False),
        sa.Column("line_text", Text(), server_default="", nullable=False),
        sa.Column("function_name", Text(), nullable=True),
        sa.Column("class_name", Text(), nullable=True),
        sa.Column("cwe", Json(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("status", Text(), server_default="open", nullable=False),
        sa.Column("reason", Text(), nullable=True),
        sa.Column("ignored_until", UtcDateTime(), nullable=True),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("occurrence_count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_analysis_id", Text(), nullable=False),
        sa.Column("analysis_id", Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", Text(), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("suppression", Json(), nullable=True),
        sa.Column("prints", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_findings_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_fingerprint"), "findings", ["fingerprint"], unique=False)
    op.create_index(
        op.f("ix_findings_project_id_branch_file_path"),
        "findings",
        ["project_id", "branch", "file_path"],
        unique=False,
    )
    op.create_index(
        op.f("ix_findings_project_id_status_last_seen_id"),
        "findings",
        ["project_id", "status", "last_seen", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_findings_project_id_status_severity_rank_last_seen"),
        "findings",
        ["project_id", "status", "severity_rank", "last_seen"],
        unique=False,
    )
    op.create_index(
        op.f("ix_findings_status_last_seen_id"), "findings", ["status", "last_seen", "id"], unique=False
    )
    op.create_table(
        "finding_history",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("finding_id", Text(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("action", Text(), nullable=False),
        sa.Column("user", Text(), nullable=True),
        sa.Column("details", Text(), nullable=False),
        sa.Column("data", Json(), nullable=True),
        sa.ForeignKeyConstraint(
            ["finding_id"],
            ["findings.id"],
            name=op.f("fk_finding_history_finding_id_findings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_history")),
    )
    op.create_index(op.f("ix_finding_history_finding_id"), "finding_history", ["finding_id"], unique=False)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("payload", Json(), nullable=False),
        sa.Column("lane", Text(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("leased_by", Text(), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("dedupe_key", Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_jobs_dedupe_key")),
    )
    op.create_index(
        "ix_jobs_lane_running",
        "jobs",
        ["lane"],
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_jobs_next",
        "jobs",
        ["priority", "run_at", "id"],
        sqlite_where=sa.text("status = 'queued'"),
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_table(
        "workers",
        sa.Column("id", Text(), nullable=False),
        sa.Column("host", Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "schedules",
        sa.Column("name", Text(), nullable=False),
        sa.Column("kind", Text(), nullable=False),
        sa.Column("payload", Json(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("next_run_at", UtcDateTime(), nullable=False),
        sa.Column("last_run_at", UtcDateTime(), nullable=True),
        sa.Column("last_status", Text(), nullable=True),
        sa.Column("last_error", Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )


def _answers() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", _SERIAL, nullable=False),
        sa.Column("id", Text(), nullable=False),
        sa.Column("type", Text(), nullable=False),
        sa.Column("project_id", Text(), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_created_at"), "outbox", ["created_at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", Text(), nullable=False),
        sa.Column("key", Text(), nullable=False),
        sa.Column("request_hash", Text(), nullable=False),
        sa.Column("status", Text(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_headers", Json(), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"], unique=False)
