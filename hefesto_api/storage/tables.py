"""Every table, known to `metadata` once this is imported: what migrations and checks look at."""

from hefesto_api.storage.advice import advice, advice_months
from hefesto_api.storage.alert_deliveries import alert_deliveries, alert_groups
from hefesto_api.storage.alert_history import alert_history
from hefesto_api.storage.alert_occurrences import alert_occurrences, alert_samples
from hefesto_api.storage.alert_rules import alert_rules
from hefesto_api.storage.alert_sources import alert_sources
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.analyses import analyses, analysis_chunks, analysis_inputs, batches
from hefesto_api.storage.anomalies import anomalies, baseline_recalc_schedule, baselines, metric_points
from hefesto_api.storage.api_key_usage import api_key_usage
from hefesto_api.storage.api_keys import api_key_secrets, api_keys
from hefesto_api.storage.audit import audit_keys, audit_logs, audit_seals, audit_strands
from hefesto_api.storage.base import metadata
from hefesto_api.storage.code_facts import code_facts
from hefesto_api.storage.code_words import code_words
from hefesto_api.storage.contents import contents, functions, project_files
from hefesto_api.storage.correlations import alert_suspects, correlations, finding_incidents
from hefesto_api.storage.deliveries import alert_delivery_queue, event_cursors
from hefesto_api.storage.deployments import deployment_verdicts, deployments
from hefesto_api.storage.executions import scheduled_job_execution
from hefesto_api.storage.exports import export_cursors
from hefesto_api.storage.finding_links import finding_links
from hefesto_api.storage.findings import finding_history, findings
from hefesto_api.storage.generations import generations
from hefesto_api.storage.history import histories, history_changes, history_commits, history_paths
from hefesto_api.storage.idempotency import idempotency_keys
from hefesto_api.storage.identities import identities
from hefesto_api.storage.intake import intake, intake_bodies
from hefesto_api.storage.job_statements import jobs
from hefesto_api.storage.learning import correlation_feedback, learned_counts
from hefesto_api.storage.maintenance_windows import maintenance_windows
from hefesto_api.storage.monitoring import gauge_minutes, request_minutes
from hefesto_api.storage.oauth_clients import oauth_clients
from hefesto_api.storage.oauth_grants import oauth_codes, oauth_grants, oauth_refresh_tokens
from hefesto_api.storage.outbox import outbox
from hefesto_api.storage.projects import projects
from hefesto_api.storage.rollups import (
    daily_counts,
    daily_totals,
    file_counts,
    finding_counts,
    finding_totals,
    line_counts,
)
from hefesto_api.storage.schedules import schedules
from hefesto_api.storage.second_factors import backup_codes, second_factors
from hefesto_api.storage.secret_keys import kept_keys, secret_keys
from hefesto_api.storage.sessions import refresh_tokens, sessions
from hefesto_api.storage.signing_keys import signing_keys
from hefesto_api.storage.signing_secrets import seen_signatures, signing_secrets
from hefesto_api.storage.throttles import throttles
from hefesto_api.storage.tickets import tickets
from hefesto_api.storage.users import users
from hefesto_api.storage.webhooks import webhook_health_metrics, webhooks
from hefesto_api.storage.workers import workers

__all__ = [
    "advice",
    "advice_months",
    "alert_deliveries",
    "alert_delivery_queue",
    "alert_groups",
    "alert_history",
    "alert_occurrences",
    "alert_rules",
    "alert_samples",
    "alert_sources",
    "alert_suspects",
    "alerts",
    "analyses",
    "analysis_chunks",
    "analysis_inputs",
    "anomalies",
    "api_key_secrets",
    "api_key_usage",
    "api_keys",
    "audit_keys",
    "audit_logs",
    "audit_seals",
    "audit_strands",
    "backup_codes",
    "baseline_recalc_schedule",
    "baselines",
    "batches",
    "code_facts",
    "code_words",
    "contents",
    "correlation_feedback",
    "correlations",
    "daily_counts",
    "daily_totals",
    "deployment_verdicts",
    "deployments",
    "event_cursors",
    "export_cursors",
    "file_counts",
    "finding_counts",
    "finding_history",
    "finding_incidents",
    "finding_links",
    "finding_totals",
    "findings",
    "functions",
    "gauge_minutes",
    "generations",
    "histories",
    "history_changes",
    "history_commits",
    "history_paths",
    "idempotency_keys",
    "identities",
    "intake",
    "intake_bodies",
    "jobs",
    "kept_keys",
    "learned_counts",
    "line_counts",
    "maintenance_windows",
    "metadata",
    "metric_points",
    "oauth_clients",
    "oauth_codes",
    "oauth_grants",
    "oauth_refresh_tokens",
    "outbox",
    "project_files",
    "projects",
    "refresh_tokens",
    "request_minutes",
    "scheduled_job_execution",
    "schedules",
    "second_factors",
    "secret_keys",
    "seen_signatures",
    "sessions",
    "signing_keys",
    "signing_secrets",
    "throttles",
    "tickets",
    "users",
    "webhook_health_metrics",
    "webhooks",
    "workers",
]
