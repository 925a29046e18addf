// What is on fire, why, and which line.
import { useEffect, useRef, useState } from "preact/hooks";

import { get, post } from "../api";
import { upToDate, type Listed } from "../carried";
import { useAwaited, useData, type Read } from "../data";
import { count, hash, many, nameOf, tail, words } from "../format";
import { Empty, Failure, Likely, Place, SeverityMark, Since, Waiting } from "../pieces/marks";
import { complain, tell } from "../pieces/toast";
import { project, to } from "../route";
import type { Alert, Correlation, CorrelationItem, Deployment } from "../types";

const MOST = 100;
const LOOKED_INTO_MS = 60_000;
const ONE_BY_ONE = 3;
const ALL_AGAIN_MS = 10_000;
const FIELDS =
  "id,alert_id,project,service_name,environment,error_type,title,message,severity,status,occurrence_count," +
  "first_seen,last_seen,affected_users,correlation_id,acknowledged_by,acknowledged_at,comment";

export function NowPage() {
  const within = project.value ? `&project=${encodeURIComponent(project.value)}` : "";
  const list = `/alerts?sort=-severity&limit=${MOST}&fields=${FIELDS}${within}`;
  const firing = useListed(`${list}&status=pending`, "pending");
  const held = useListed(`${list}&status=acknowledged`, "acknowledged");
  const deployments = useData<{ deployments: Deployment[] }>(`/deployments?limit=1${within}`);
  const why = useCorrelations([...(firing.data?.alerts ?? []), ...(held.data?.alerts ?? [])], within);
  const newest = deployments.data?.deployments[0];
  useAwaited(firing.data?.alerts.filter(isBeingLookedInto).map((one) => one.id).join() ?? "", firing.reload);

  if (!firing.data) {
    return firing.error ? <Failure error={firing.error} retry={firing.reload} /> : <Waiting />;
  }
  const alerts = firing.data.alerts;
  const again = () => {
    firing.reload();
    held.reload();
  };
  return (
    <div class={firing.stale ? "now stale" : "now"}>
      <section class="lead" aria-labelledby="firing">
        <h1 id="firing" class={alerts.length ? "burning" : ""}>
          <span class="figure">{count(firing.data.total_count)}</span> firing
        </h1>
        <p class="quiet">{inShort(firing.data, held.data)}</p>
      </section>
      <aside aria-label="Newest deployment">{newest ? <Newest of={newest} /> : null}</aside>
      <section class="alerts" aria-label="Firing alerts">
        {alerts.length ? (
          <ol>
            {alerts.map((alert) => (
              <Card key={alert.id} alert={alert} why={why(alert)} changed={again} />
            ))}
          </ol>
        ) : (
          <Quiet held={held.data?.total_count ?? 0} />
        )}
        {firing.data.total_count > alerts.length ? (
          <p class="quiet">The {MOST} most severe are shown.</p>
        ) : null}
      </section>
      {held.data?.alerts.length ? (
        <section class="held" aria-labelledby="held">
          <h2 id="held">
            Looked after <span class="quiet figure">{count(held.data.total_count)}</span>
          </h2>
          <ol>
            {held.data.alerts.map((alert) => (
              <Held key={alert.id} alert={alert} changed={again} />
            ))}
          </ol>
        </section>
      ) : null}
    </div>
  );
}

/** The alerts of one status, as they were read and as the feed has told since. */
function useListed(path: string, status: string): Read<Listed> {
  const read = useData<Listed>(path);
  return { ...read, data: read.data && !read.stale ? upToDate(read.data, read.readAt, status, project.value) : read.data };
}

/** Whether the cause of an alert is not known yet, and will be in a moment. */
function isBeingLookedInto(alert: Alert): boolean {
  return !alert.correlation_id && Date.now() - Date.parse(alert.first_seen) < LOOKED_INTO_MS;
}

function inShort(firing: Listed, held: Listed | null): string {
  const users = firing.alerts.reduce((sum, one) => sum + (one.affected_users ?? 0), 0);
  const services = new Set(firing.alerts.map((one) => one.service_name).filter(Boolean)).size;
  const parts = [
    services ? many(services, "service") : "",
    users ? `${many(users, "user")} affected` : "",
    held?.total_count ? `${count(held.total_count)} looked after` : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** What is known of each alert's cause: the newest in one reading, some others one by one; a cause stays as it is. */
function useCorrelations(alerts: Alert[], within: string): (alert: Alert) => CorrelationItem | undefined {
  const listed = useData<{ correlations: CorrelationItem[] }>(`/iris/correlations?limit=${MOST}${within}`, true);
  const asked = useRef(Date.now());
  const [single, setSingle] = useState<Map<string, CorrelationItem | null>>(new Map());
  const found = new Map(listed.data?.correlations.map((one) => [one.correlation_id, one]));
  const missing = listed.data
    ? alerts.map((one) => one.correlation_id).filter((id) => id && !found.has(id) && !single.has(id))
    : [];
  useEffect(() => {
    const id = missing[0];
    if (!id) {
      return;
    }
    if (missing.length > ONE_BY_ONE && Date.now() - asked.current > ALL_AGAIN_MS) {
      asked.current = Date.now();
      listed.reload();
    }
    get<Correlation>(`/iris/correlations/${id}`)
      .catch(() => null)
      .then((one) => setSingle((was) => new Map(was).set(id, one)));
  }, [missing[0]]);
  return (alert) => found.get(alert.correlation_id ?? "") ?? single.get(alert.correlation_id ?? "") ?? undefined;
}

function Card({ alert, why, changed }: { alert: Alert; why: CorrelationItem | undefined; changed: () => void }) {
  const [before, name] = tail(nameOf(alert));
  const suspect = why?.suspect_functions[0];
  const own = alert.message && alert.message !== alert.alert_id && alert.message !== nameOf(alert);
  return (
    <li class={`card ${alert.severity.toLowerCase()}`}>
      <div class="top">
        <SeverityMark of={alert.severity} />
        <span class="where">
          {alert.service_name || alert.project}
          {alert.environment ? <span class="quiet"> {alert.environment}</span> : null}
        </span>
        <span class="times">
          <b class="figure">{count(alert.occurrence_count)}×</b> since <Since at={alert.first_seen} />
        </span>
      </div>
      <h2>
        <a href={to(`/alerts/${alert.id}`)}>
          <span class="module">{before}</span>
          {name}
        </a>
      </h2>
      {own ? <p class="message">{alert.message}</p> : null}
      {suspect ? (
        <div class="suspect">
          <Likely share={suspect.probability} />
          <div>
            <span class="function">{suspect.function_name}</span>{" "}
            <Place path={suspect.file_path} line={suspect.line_number} />
            {why?.suggested_root_cause ? <p class="why">{why.suggested_root_cause}</p> : null}
          </div>
        </div>
      ) : (
        <p class="suspect quiet">
          {alert.correlation_id && why ? "Nothing in the project's code is suspected." : "Looking for the line…"}
        </p>
      )}
      <div class="acts">
        <Act of={alert} to="acknowledge" changed={changed} />
        <Act of={alert} to="resolve" changed={changed} />
        <span class="quiet">
          last <Since at={alert.last_seen} /> ago
          {alert.affected_users ? ` · ${many(alert.affected_users, "user")}` : ""}
        </span>
      </div>
    </li>
  );
}

function Held({ alert, changed }: { alert: Alert; changed: () => void }) {
  const [, name] = tail(nameOf(alert));
  return (
    <li>
      <SeverityMark of={alert.severity} bare />
      <div>
        <a href={to(`/alerts/${alert.id}`)}>{name}</a>
        <span class="quiet">
          {alert.service_name || alert.project} · {count(alert.occurrence_count)}×
          {alert.acknowledged_by ? ` · ${alert.acknowledged_by}` : ""}
          {alert.acknowledged_at ? (
            <>
              {", "}
              <Since at={alert.acknowledged_at} />
            </>
          ) : null}
        </span>
      </div>
      <Act of={alert} to="resolve" changed={changed} />
    </li>
  );
}

const LABELS = { acknowledge: "Acknowledge", resolve: "Resolve" };
const DONE = { acknowledge: "Looked after", resolve: "Resolved" };

export function Act({ of, to: action, changed, primary }: { of: Alert; to: "acknowledge" | "resolve"; changed: () => void; primary?: boolean }) {
  const [busy, setBusy] = useState(false);
  async function act(): Promise<void> {
    setBusy(true);
    try {
      await post(`/alerts/${of.id}/${action}`);
      tell(`${DONE[action]}: ${tail(nameOf(of))[1]}`);
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    changed();
  }
  return (
    <button type="button" class={primary ? "primary" : ""} disabled={busy} onClick={act}>
      {LABELS[action]}
      <span class="hidden"> {nameOf(of)}</span>
    </button>
  );
}

function Newest({ of }: { of: Deployment }) {
  const verdict = of.verdicts.at(-1);
  return (
    <div class="newest">
      <h2>Newest deployment</h2>
      <p class="release">{of.release ?? hash(of.commit_hash ?? "")}</p>
      <p class="quiet">
        {of.project} · {of.environment} · <Since at={of.deployed_at} /> ago
      </p>
      <p class="quiet">
        {[
          of.release && of.commit_hash ? hash(of.commit_hash) : "",
          of.commits_known ? many(of.commits_total, "commit") : "",
          of.findings_total ? `${many(of.findings_total, "finding")} came with it` : "",
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {verdict ? (
        <p>
          <b>{words(of.standing.verdict)}</b>{" "}
          <span class="quiet">
            {of.standing.verdict === verdict.verdict ? "" : `by now; ${verdict.verdict} `}after {verdict.after_hours} h,{" "}
            {many(verdict.new_alerts, "new alert")}
            {of.standing.new_alerts_since ? `; ${count(of.standing.new_alerts_since)} more since` : ""}
          </span>
        </p>
      ) : null}
    </div>
  );
}

function Quiet({ held }: { held: number }) {
  const origin = location.origin;
  return (
    <Empty
      title={held ? "Nothing else is on fire." : "Nothing is on fire."}
      command={`curl ${origin}/api/v1/alerts -H 'Content-Type: application/json' \\\n  -d '{"alert_id": "first", "severity": "high", "stacktrace": "…"}'`}
    >
      Alerts come here from your monitoring by <a href="/docs">/api/v1/iris/webhook/…</a>, or from you:
    </Empty>
  );
}

