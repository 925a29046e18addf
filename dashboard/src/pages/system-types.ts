// The wire forms of the service's own measures, as docs/openapi.json has them; only what is shown.
import type { Severity } from "../types";

export interface Measured {
  requests: number;
  requests_per_minute: number;
  refused: number;
  errors: number;
  error_rate: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface RouteMeasures extends Measured {
  route: string;
}

export interface Performance {
  period: { start: string; end: string; minutes: number };
  requests: Measured;
  routes: RouteMeasures[];
  points: (Measured & { at: string; queue_depth: number | null; storage_writer_wait_ms: number | null })[];
  queue: { depth: number; oldest_waiting_seconds: number; most_depth: number | null };
  cache_hit_rate: number | null;
  storage_writer_wait: { writes: number; mean_ms: number | null; most_ms: number | null };
}

export interface Anomaly {
  id: string;
  metric: string;
  project: string | null;
  started_at: string;
  ended_at: string | null;
  value: number;
  expected: number;
  lower: number;
  upper: number;
  score: number;
  severity: Severity;
  status: "open" | "ended";
}

export interface Baseline {
  metric: string;
  project: string | null;
  granularity: "hour_of_week" | "hour_of_day" | "none";
  learned_from_points: number;
  learned_from_days: number;
  value: number;
  measured_at: string;
  expected: number | null;
  lower: number | null;
  upper: number | null;
  points: { at: string; value: number; expected: number | null; lower: number | null; upper: number | null }[];
}

export interface Job {
  id: string;
  kind: string;
  status: string;
  attempts: number;
  max_attempts: number;
  run_at: string;
  created_at: string;
  last_error: string | null;
}

export interface Schedule {
  name: string;
  kind: string;
  every_seconds: number;
  next_run_at: string;
  last_run_at: string | null;
  last_status: string | null;
  last_error: string | null;
}

export interface JobsTold {
  queued: Job[];
  running: Job[];
  dead: Job[];
  scheduled: Schedule[];
  executions: { id: string; schedule: string; started_at: string; ended_at: string | null; status: string; error: string | null }[];
  baselines: { metric: string; project_id: string; next_run_at: string; last_run_at: string | null; last_status: string | null }[];
  counts: Record<string, number>;
}

export interface Info {
  version: string;
  versions: Record<string, string>;
  process: { uptime_seconds: number; threads: number; memory_bytes: number };
  database: { kind: string; version: string; size_bytes: number };
  schema_revision: string;
  worker_count: number;
}
