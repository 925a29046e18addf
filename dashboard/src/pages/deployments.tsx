// What was deployed where, newest first: what came with it, and how it has gone since.
import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { get } from "../api";
import { useData } from "../data";
import { count, hash, many } from "../format";
import type { Shipped, ShippedList } from "../outgoing";
import { useListKeys } from "../pieces/listkeys";
import { Empty, Failure, Since, Waiting } from "../pieces/marks";
import { complain } from "../pieces/toast";
import { RiskMark, VerdictMark } from "../pieces/verdict";
import { change, go, project, route, to } from "../route";
import "./deployments.css";

const PAGE = 25;
const SPANS: [string, string][] = [
  ["", "any time"],
  ["1", "the last day"],
  ["7", "the last week"],
  ["30", "the last month"],
];
const DAY_MS = 86_400_000;

export function DeploymentsPage() {
  const query = route.value.query;
  const asked = new URLSearchParams({ limit: String(PAGE) });
  for (const name of ["project", "environment"]) {
    const value = query.get(name);
    if (value) {
      asked.set(name, value);
    }
  }
  const days = Number(query.get("days")) || 0;
  if (days) {
    asked.set("since", new Date(Math.floor(Date.now() / 60_000) * 60_000 - days * DAY_MS).toISOString());
  }
  const key = `${asked.get("project")} ${asked.get("environment")} ${days}`;
  const first = useData<ShippedList>(`/deployments?${asked}`);
  const [more, setMore] = useState<{ key: string; items: Shipped[]; next: string | null }>({ key, items: [], next: null });
  const [busy, setBusy] = useState(false);
  const at = useSignal(0);
  const rows = useRef<HTMLOListElement>(null);
  const later = more.key === key ? more : { key, items: [], next: null };
  const items = [...new Map([...(first.data?.deployments ?? []), ...later.items].map((one) => [one.id, one])).values()];
  const next = later.items.length ? later.next : (first.data?.pagination.next_cursor ?? null);
  const environments = useRef(new Set<string>());
  items.forEach((one) => environments.current.add(one.environment));

  useEffect(() => {
    at.value = 0;
  }, [key]);
  useListKeys(at, items.length, rows, () => {
    const one = items[at.value];
    if (one) {
      go(to(`/deployments/${one.id}`));
    }
  });

  async function readOn(): Promise<void> {
    setBusy(true);
    try {
      const page = await get<ShippedList>(`/deployments?${asked}&cursor=${encodeURIComponent(next ?? "")}`);
      const cursor = page.pagination.has_more ? page.pagination.next_cursor : null;
      setMore({ key, items: [...later.items, ...page.deployments], next: cursor });
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
  }

  const filtered = query.has("environment") || days > 0;
  return (
    <div class="deployments">
      <header>
        <h1>
          <span class="figure">{first.data ? count(first.data.total_count) : "…"}</span> deployments
        </h1>
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <label>
            <span class="hidden">Environment</span>
            <select
              value={query.get("environment") ?? ""}
              onChange={(event) => change({ environment: event.currentTarget.value })}
            >
              <option value="">all environments</option>
              {[...environments.current, query.get("environment") ?? ""]
                .filter((one, number, all) => one && all.indexOf(one) === number)
                .sort()
                .map((one) => (
                  <option key={one} value={one}>
                    {one}
                  </option>
                ))}
            </select>
          </label>
          <label>
            <span class="hidden">Time</span>
            <select value={days ? String(days) : ""} onChange={(event) => change({ days: event.currentTarget.value })}>
              {SPANS.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        </form>
      </header>
      {first.error ? <Failure error={first.error} retry={first.reload} /> : null}
      {!first.data && !first.error ? <Waiting /> : null}
      {first.data && items.length === 0 ? <Nothing filtered={filtered} /> : null}
      <ol class="releases" ref={rows} aria-label="Deployments">
        {items.map((one, number) => (
          <Row key={one.id} of={one} here={number === at.value} />
        ))}
      </ol>
      {next && items.length ? (
        <button type="button" class="more" disabled={busy} onClick={() => void readOn()}>
          More
        </button>
      ) : null}
    </div>
  );
}

function Row({ of, here }: { of: Shipped; here: boolean }) {
  const authors = [...new Set(of.commits.map((one) => one.author))];
  const name = of.release ?? hash(of.commit_hash ?? "");
  return (
    <li class={here ? "here" : ""} aria-current={here ? "true" : undefined}>
      <div class="verdict">
        <VerdictMark of={of} />
        <RiskMark of={of.risk} />
      </div>
      <div class="what">
        <a href={to(`/deployments/${of.id}`)}>
          <b>{name}</b>
          {of.release && of.commit_hash ? <code>{hash(of.commit_hash)}</code> : null}
          {of.is_running ? <span class="tag hot">running</span> : null}
        </a>
        <span class="quiet">
          {of.project} · {of.environment} · <Since at={of.deployed_at} /> ago
          {of.deployed_by ? ` · by ${of.deployed_by}` : ""}
        </span>
      </div>
      <div class="came">
        <span>
          {of.commits_known ? (
            <>
              <b class="figure">{count(of.commits_total)}</b> {of.commits_total === 1 ? "commit" : "commits"}
            </>
          ) : (
            <span class="quiet">commits not known</span>
          )}
        </span>
        <span class="quiet">{authors.length > 2 ? `${authors[0]} and ${authors.length - 1} more` : authors.join(", ")}</span>
      </div>
      <div class="came">
        <span title={`${many(of.findings_total, "finding")} ${of.previous ? "came with it" : "stood when it came"}`}>
          <b class="figure">{of.previous ? `+${count(of.findings_total)}` : count(of.findings_total)}</b>
          {of.previous ? <b class="figure gone"> −{count(of.resolved_total)}</b> : null} findings
        </span>
        <span class="quiet">{of.previous ? "brought, resolved" : "standing then"}</span>
      </div>
      <BeforeAfter of={of} />
    </li>
  );
}

/** The alerts before and after as bars on one scale, what is new since marked apart. */
function BeforeAfter({ of }: { of: Shipped }) {
  const { alerts_before: before, alerts_after: after, new_alerts: fresh } = of.impact;
  const most = Math.max(before, after, 1);
  const hours = Math.round(of.impact.window_seconds / 360) / 10;
  return (
    <div class="change" title={`In ${hours} h before and after: ${before} alerts, then ${after}, ${fresh} of them new`}>
      <span class="bars" aria-hidden="true">
        <i style={{ height: `${Math.max(6, (before / most) * 100)}%` }} />
        <i style={{ height: `${Math.max(6, (after / most) * 100)}%` }}>
          <i style={{ height: `${after ? (fresh / after) * 100 : 0}%` }} />
        </i>
      </span>
      <span>
        <span class="figure">
          {count(before)} → <b>{count(after)}</b>
        </span>{" "}
        {after === 1 ? "alert" : "alerts"}
        <span class={fresh ? "fresh" : "quiet"}>{fresh ? `${count(fresh)} new` : "none new"}</span>
      </span>
    </div>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return <Empty title="Nothing was deployed there and then." />;
  }
  const where = project.value || "shop";
  return (
    <Empty
      title="No deployment was told of yet."
      command={`curl ${location.origin}/api/v1/deployments -H 'Content-Type: application/json' \\\n  -d '{"project": "${where}", "environment": "production",\n       "release": "1.0", "commit_hash": "'$(git rev-parse HEAD)'"}'`}
    >
      Tell of each as the last step of its pipeline; then alerts are laid at the right release's door:
    </Empty>
  );
}
