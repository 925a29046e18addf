// The wire forms of deployments and webhooks, as docs/openapi.json has them; only what is shown.
import type { Pagination, Severity } from "./types";

export interface Revision {
  id: string;
  commit_hash: string | null;
  release: string | null;
  deployed_at: string;
}

export interface AlertsAround {
  window_seconds: number;
  alerts_before: number;
  alerts_after: number;
  new_alerts: number;
  new_by_severity: Partial<Record<Severity, number>>;
}

export interface ShippedFinding {
  id: string;
  file_path: string;
  line: number;
  rule_id: string;
  severity: Severity;
  description: string;
  status: string;
}

export interface Risk {
  level: "unknown" | "low" | "medium" | "high";
  score: number;
  reasons: string[];
}

export interface Verdict {
  after_hours: number;
  verdict: "healthy" | "degraded" | "failing";
  alerts_before: number;
  alerts_after: number;
  new_alerts: number;
  window_seconds: number;
  decided_at: string;
}

/** How it does by now; what came after the latest verdict is not in that. */
export interface Standing {
  verdict: "watching" | Verdict["verdict"];
  decided_at: string | null;
  new_alerts_since: number;
}

export interface Shipped extends Revision {
  project: string;
  environment: string;
  source: string;
  deployed_by: string | null;
  is_running: boolean;
  previous: Revision | null;
  commits_known: boolean;
  commits: { commit_hash: string; author: string; timestamp: string | null; message: string }[];
  commits_total: number;
  findings: ShippedFinding[];
  findings_total: number;
  resolved: ShippedFinding[];
  resolved_total: number;
  risk: Risk;
  verdicts: Verdict[];
  standing: Standing;
  impact: AlertsAround;
}

export interface ShippedList {
  deployments: Shipped[];
  total_count: number;
  pagination: Pagination;
}

export interface AlertAfter {
  id: string;
  error_type: string | null;
  title: string;
  severity: Severity;
  status: string;
  service_name: string | null;
  first_seen: string;
  last_seen: string;
  occurrence_count: number;
  is_new: boolean;
  suspect: { file_path: string; function_name: string; probability: number } | null;
}

export interface Impact extends AlertsAround {
  deployment_id: string;
  alerts: AlertAfter[];
  period: { start: string; end: string };
  bucket_seconds: number;
  buckets: { start: string; known: number; new: number }[];
  deployments: (Revision & { environment: string })[];
}

export interface Changes {
  commits_known: boolean;
  files_total: number;
  files: { file_path: string; kind: string; commits: number; lines_added: number; lines_removed: number }[];
}

export type HealthName = "healthy" | "degraded" | "failing" | "disabled" | "unknown";
export type Format = "standard" | "slack" | "pagerduty";

export const FORMATS: Format[] = ["standard", "slack", "pagerduty"];
export const EVENTS = [
  "alert.created",
  "alert.acknowledged",
  "alert.resolved",
  "finding.created",
  "finding.resolved",
  "finding.reopened",
  "analysis.completed",
  "analysis.failed",
  "deployment.created",
  "webhook.status_changed",
  "anomaly.detected",
];
/** What PagerDuty wakes somebody for. */
export const PAGED = ["alert.created", "alert.acknowledged", "alert.resolved", "anomaly.detected"];
export const DELIVERY_STATUSES = ["pending", "delivered", "dead"];

export interface Webhook {
  id: string;
  name: string;
  url: string;
  description: string;
  format: Format;
  events: string[];
  is_active: boolean;
  health_check_interval_seconds: number;
  project: string | null;
  health_status: HealthName;
  disabled_reason: string | null;
  created_at: string;
  updated_at: string;
}

/** A webhook with its secret, which is told once. */
export interface Told extends Webhook {
  secret: string;
  former_signs_until?: string;
}

export interface Attempt {
  at: string;
  is_success: boolean;
  status_code: number | null;
  response_ms: number;
  error: string | null;
}

export interface Health {
  id: string;
  health_status: HealthName;
  success_rate: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  attempts: number;
  consecutive_failures: number;
  last_success_at: string | null;
  last_failure_at: string | null;
  next_check_at: string | null;
  disabled_reason: string | null;
  deliveries_waiting: number;
  dead_letters: number;
  next_attempt_at: string | null;
  attempt_log: (Attempt & { kind: "delivery" | "probe" | "test"; delivery_id: string | null })[];
}

export interface Delivery {
  id: string;
  event_id: string;
  event_type: string;
  status: "pending" | "delivered" | "dead";
  attempts: number;
  status_code: number | null;
  error: string | null;
  created_at: string;
  last_attempt_at: string | null;
  next_attempt_at: string | null;
  finished_at: string | null;
  attempt_log: Attempt[];
}
