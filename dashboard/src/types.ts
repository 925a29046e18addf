// The wire forms that the page reads, as docs/openapi.json has them; only what is shown.

export type Severity = "CRITICAL" | "HIGH" | "MEDIUM" | "LOW";
export const SEVERITIES: Severity[] = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
export const ANALYZERS = ["complexity", "security", "code_smells", "best_practices"];
export const STATUSES = ["open", "acknowledged", "resolved", "ignored", "wontfix"];

export interface Pagination {
  has_more: boolean;
  next_cursor: string | null;
}

export interface Alert {
  id: string;
  alert_id: string;
  source: string;
  project: string;
  service_name: string | null;
  environment: string | null;
  error_type: string | null;
  title: string;
  message: string;
  severity: Severity;
  status: "pending" | "acknowledged" | "resolved";
  occurrence_count: number;
  first_seen: string;
  last_seen: string;
  affected_users: number | null;
  correlation_id: string | null;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  resolved_at: string | null;
  comment: string | null;
}

export interface Moment {
  timestamp: string;
  action: string;
  user: string | null;
  details: string;
}

export interface AlertDetail extends Alert {
  description: string;
  release: string | null;
  commit_hash: string | null;
  stacktrace: string | null;
  links: { href: string; text: string }[];
  resolved_by: string | null;
  regression_of: string | null;
  history: Moment[];
}

export interface Evidence {
  feature: string;
  value: unknown;
  contribution: number;
}

export interface Suspect {
  file_path: string;
  function_name: string;
  line_number: number;
  probability: number;
  evidence: Evidence[];
}

export interface Match {
  finding_id: string;
  file_path: string;
  line_number: number;
  severity: Severity;
  description: string;
  match_reason: string;
  match_confidence: number;
  status?: string;
}

export interface SuspectCommit {
  commit_hash: string;
  author: string;
  timestamp: string | null;
  message: string;
  score: number;
}

export interface Frame {
  file: string | null;
  line: number | null;
  function: string | null;
  in_app: boolean;
  project_path: string | null;
}

export interface CorrelationItem {
  correlation_id: string;
  recorded_alert_id: string;
  project: string;
  confidence_score: number;
  suspect_functions: Suspect[];
  suggested_root_cause: string | null;
}

export interface Correlation extends CorrelationItem {
  matching_findings: Match[];
  suspect_commits: SuspectCommit[];
  frames: Frame[];
  recommended_actions: string[];
  cost_estimate: { estimated_revenue_impact_usd: number; calculation: string } | null;
  deployed: { commit_hash: string | null; release: string | null; deployed_at: string | null } | null;
  feedback: { subject: string; verdict: string; comment: string | null; user: string }[];
}

export interface Advice {
  text: string;
  is_cut: boolean;
  model: string;
  with_code: boolean;
  cost_usd: number;
  created_at: string;
  created_by: string;
}

export interface AdviceStanding {
  enabled: boolean;
  sends_code: boolean;
  advice: Advice | null;
  budget: { status: "OK" | "WARNING" | "EXCEEDED"; spent_usd: number; limit_usd: number };
}

export interface ContextFinding {
  id: string;
  severity: Severity;
  rule_id: string;
  line: number;
  description: string;
}

export interface CodeContext {
  found: boolean;
  file_path: string;
  function_name: string | null;
  code_snippet: string | null;
  snippet_start_line: number | null;
  complexity: { score: number; grade: string; details: string; cognitive: number };
  security_findings: ContextFinding[];
  code_smells: ContextFinding[];
  best_practices_violations: ContextFinding[];
  recent_changes: {
    last_modified: string;
    commit_hash: string;
    author: string;
    commit_message: string;
  } | null;
  risk_score: number;
  risk_factors: string[];
}

export interface Finding {
  id: string;
  project: string;
  file_path: string;
  line: number;
  analyzer: string;
  tool: string;
  rule_id: string;
  severity: Severity;
  confidence: number;
  description: string;
  status: string;
  first_seen: string;
  last_seen: string;
  function_name: string | null;
}

export interface FindingDetail extends Finding {
  recommendation: string;
  code_snippet: string;
  cwe: number[];
  end_line: number;
  reason: string | null;
  ignored_until: string | null;
  updated_by: string | null;
  ownership?: { owners: string[] };
  incidents: { alert_id?: string; error_type?: string; timestamp?: string }[];
  history: Moment[];
  related_findings: { id: string; file_path: string; line: number; description: string }[];
}

export interface Deployment {
  id: string;
  project: string;
  environment: string;
  commit_hash: string | null;
  release: string | null;
  deployed_at: string;
  commits_total: number;
  commits_known: boolean;
  findings_total: number;
  verdicts: { after_hours: number; verdict: string; new_alerts: number }[];
  standing: { verdict: string; decided_at: string | null; new_alerts_since: number };
}

export interface Summary {
  total_analyses: number;
  total_findings: number;
  findings_by_severity: Record<Severity, number>;
  findings_by_analyzer: Record<string, number>;
  trend: string;
  quality_score: number;
  quality_grade: string;
  quality: { weight: number; lines_of_code: number; density: number };
  comparison_previous_period: {
    findings_change_percent: number | null;
    quality_score_change: number;
  } | null;
  top_files: ({ file_path: string; project: string; total: number; weight: number } & Record<
    "critical" | "high" | "medium" | "low",
    number
  >)[];
}

export interface Point {
  date: string;
  total_findings: number;
  critical: number;
  high: number;
  medium: number;
  low: number;
  opened: number;
  resolved: number;
  quality_score: number;
}

export interface Project {
  slug: string;
  name: string | null;
}

export interface Timeline {
  period: { start: string; end: string };
  total: number;
  buckets: { start: string; count: number }[];
  deployments: { id: string; release: string | null; commit_hash: string | null; deployed_at: string }[];
}
