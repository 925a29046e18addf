// What the feed carries of alerts: shown at once, until it is read.
import { signal } from "@preact/signals";

import { SEVERITIES, type Alert, type Severity } from "./types";

/** An alert as an event tells of it, and when that came. */
interface Carried {
  at: number;
  event: string;
  id: string;
  project: string;
  status: string;
  severity: Severity;
  occurrence_count: number;
  last_seen: string;
  in_maintenance: boolean;
  merged_into: string | null;
}

export interface Listed {
  alerts: Alert[];
  total_count: number;
}

const MOST = 500;

/** The latest of each alert. */
export const carried = signal<ReadonlyMap<string, Carried>>(new Map());

export function carry(told: Record<string, unknown>): void {
  const one = { ...told, at: Date.now() } as unknown as Carried;
  const made = new Map(carried.value);
  made.delete(one.id);
  made.set(one.id, one);
  if (made.size > MOST) {
    made.delete(made.keys().next().value as string);
  }
  carried.value = made;
}

/** An alert that was read at a time, with what has come since. */
export function brought<T extends Alert>(alert: T, readAt: number): T {
  const one = carried.value.get(alert.id);
  return one && one.at > readAt ? { ...alert, ...counted(one) } : alert;
}

/** A list of the alerts of one status, with what has come since: changed, gone, and (of `pending`) new. */
export function upToDate(read: Listed, readAt: number, status: string, project: string): Listed {
  const fresh = [...carried.value.values()].filter((one) => one.at > readAt);
  if (!fresh.length) {
    return read;
  }
  const gone = new Set(fresh.filter((one) => one.status !== status || one.merged_into).map((one) => one.id));
  const kept = read.alerts.filter((one) => !gone.has(one.id)).map((one) => brought(one, readAt));
  const known = new Set(read.alerts.map((one) => one.id));
  const isNew = (one: Carried) =>
    one.event === "alert.created" && !one.in_maintenance && !gone.has(one.id) && !known.has(one.id) && (!project || one.project === project);
  const added = status === "pending" ? fresh.filter(isNew).map((one) => ({ ...UNKNOWN, ...one }) as unknown as Alert) : [];
  const rank = (one: Alert) => SEVERITIES.indexOf(one.severity);
  return {
    alerts: added.length ? [...added.reverse(), ...kept].sort((one, other) => rank(one) - rank(other)) : kept,
    total_count: read.total_count + added.length - (read.alerts.length - kept.length),
  };
}

/** What no event carries. */
const UNKNOWN = { affected_users: null, acknowledged_by: null, acknowledged_at: null, comment: null };

function counted({ occurrence_count, last_seen, severity }: Carried): Pick<Alert, "occurrence_count" | "last_seen" | "severity"> {
  return { occurrence_count, last_seen, severity };
}
