// Who is told of what happens here, and whether they hear it.
import { useSignal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";

import { get, patch, post } from "../api";
import { useData } from "../data";
import { count, many, percent } from "../format";
import type { Health, Told, Webhook } from "../outgoing";
import { useListKeys } from "../pieces/listkeys";
import { Empty, Failure, Waiting } from "../pieces/marks";
import { SecretDialog } from "../pieces/secret";
import { Strip } from "../pieces/strip";
import { complain, tell } from "../pieces/toast";
import { In, milliseconds, useSoon } from "../pieces/until";
import { StateMark } from "../pieces/verdict";
import { change, go, project, route, to } from "../route";
import type { Pagination } from "../types";
import { WebhookForm } from "./webhookform";
import "./deployments.css";
import "./webhooks.css";

const PAGE = 50;
const ORDER = ["failing", "degraded", "unknown", "healthy", "disabled"];

interface Listed {
  webhooks: Webhook[];
  total_count: number;
  pagination: Pagination;
}

interface HealthList {
  health: Health[];
}

export function WebhooksPage() {
  const query = route.value.query;
  const asked = new URLSearchParams({ limit: String(PAGE) });
  if (project.value) {
    asked.set("project", project.value);
  }
  if (query.get("is_active")) {
    asked.set("is_active", query.get("is_active") as string);
  }
  const key = String(asked);
  const first = useData<Listed>(`/webhooks?${key}`);
  const health = useData<HealthList>(`/webhooks/health?${key}`);
  const [more, setMore] = useState<{ key: string; items: Webhook[]; health: Health[]; next: string | null }>({ key, items: [], health: [], next: null });
  const [told, setTold] = useState<Told | null>(null);
  const at = useSignal(0);
  const rows = useRef<HTMLUListElement>(null);
  const later = more.key === key ? more : { key, items: [], health: [], next: null };
  const items = [...(first.data?.webhooks ?? []), ...later.items];
  const healthOf = new Map([...(health.data?.health ?? []), ...later.health].map((one) => [one.id, one]));
  const next = later.items.length ? later.next : (first.data?.pagination.next_cursor ?? null);
  const again = () => {
    first.reload();
    health.reload();
  };
  useSoon([...healthOf.values()].some((one) => one.deliveries_waiting > 0), health.reload);
  useListKeys(at, items.length, rows, () => open(items[at.value]), { n: () => change({ new: "1" }, false) });

  async function readOn(): Promise<void> {
    try {
      const cursor = `&cursor=${encodeURIComponent(next ?? "")}`;
      const [page, well] = await Promise.all([
        get<Listed>(`/webhooks?${key}${cursor}`),
        get<HealthList>(`/webhooks/health?${key}${cursor}`),
      ]);
      const following = page.pagination.has_more ? page.pagination.next_cursor : null;
      setMore({ key, items: [...later.items, ...page.webhooks], health: [...later.health, ...well.health], next: following });
    } catch (failure) {
      complain(failure);
    }
  }

  const failed = first.error ?? health.error;
  const counts = ORDER.map((name) => [name, items.filter((one) => one.health_status === name).length] as const);
  return (
    <div class="webhooks">
      <header>
        <h1>
          <span class="figure">{first.data ? count(first.data.total_count) : "…"}</span> webhooks
        </h1>
        <p class="counts">
          {counts.map(([name, some]) =>
            some ? <StateMark key={name} of={name} as={`${count(some)} ${name}`} /> : null,
          )}
        </p>
        <div class="filters">
          <label>
            <span class="hidden">Which</span>
            <select
              value={query.get("is_active") ?? ""}
              onChange={(event) => change({ is_active: event.currentTarget.value })}
            >
              <option value="">active and paused</option>
              <option value="true">active</option>
              <option value="false">paused</option>
            </select>
          </label>
          <button type="button" class="primary" onClick={() => change({ new: "1" }, false)}>
            New webhook <kbd>n</kbd>
          </button>
        </div>
      </header>
      {failed ? <Failure error={failed} retry={again} /> : null}
      {!first.data && !failed ? <Waiting /> : null}
      {first.data && items.length === 0 ? <Nothing filtered={query.has("is_active")} /> : null}
      <ul class="hooks" ref={rows} aria-label="Webhooks">
        {items.map((one, number) => (
          <Row key={one.id} of={one} health={healthOf.get(one.id)} here={number === at.value} changed={again} />
        ))}
      </ul>
      {next && items.length ? (
        <button type="button" class="more" onClick={() => void readOn()}>
          More
        </button>
      ) : null}
      {query.has("new") ? (
        <WebhookForm
          of={null}
          close={() => change({ new: "" })}
          done={(made) => {
            change({ new: "" });
            again();
            if ("secret" in made && made.format === "standard") {
              setTold(made);
            } else {
              go(to(`/webhooks/${made.id}`));
            }
          }}
        />
      ) : null}
      {told ? <SecretDialog of={told} close={() => setTold(null)} /> : null}
    </div>
  );
}

function open(one: Webhook | undefined): void {
  if (one) {
    go(to(`/webhooks/${one.id}`));
  }
}

function Row({ of, health, here, changed }: { of: Webhook; health: Health | undefined; here: boolean; changed: () => void }) {
  return (
    <li class={`${here ? "here" : ""} ${of.health_status}`} aria-current={here ? "true" : undefined}>
      <div class="who">
        <a href={to(`/webhooks/${of.id}`)}>
          <b>{of.name}</b>
        </a>
        <StateMark of={of.health_status} as={stateOf(of)} />
        <span class="quiet">
          {hostOf(of.url)} · {of.format} · {of.events.length ? many(of.events.length, "kind of event", "kinds of events") : "all events"}
          {of.project ? ` · ${of.project}` : ""}
        </span>
      </div>
      <div class="tries">{health ? <Strip of={health.attempt_log} /> : null}</div>
      <dl class="numbers">
        <div>
          <dt>success</dt>
          <dd class="figure">{health?.success_rate == null ? "–" : percent(health.success_rate)}</dd>
        </div>
        <div>
          <dt>p95</dt>
          <dd class="figure">{health?.p95_ms == null ? "–" : milliseconds(health.p95_ms)}</dd>
        </div>
        <div>
          <dt>waiting</dt>
          <dd class="figure">{health ? count(health.deliveries_waiting) : "–"}</dd>
        </div>
        <div class={health?.dead_letters ? "dead" : ""}>
          <dt>dead</dt>
          <dd class="figure">{health ? count(health.dead_letters) : "–"}</dd>
        </div>
        <div>
          <dt>next</dt>
          <dd class="figure">{health?.next_attempt_at ? <In at={health.next_attempt_at} /> : "–"}</dd>
        </div>
      </dl>
      <div class="acts">
        <Ping of={of} changed={changed} />
        <Pause of={of} changed={changed} />
      </div>
    </li>
  );
}

/** Its health; one that is not active was paused by somebody, or disabled because it said that it is gone. */
export function stateOf(of: Webhook): string {
  return of.is_active || of.disabled_reason ? of.health_status : "paused";
}

export function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

interface Tested {
  delivered: boolean;
  status_code: number | null;
  response_ms: number;
  error: string | null;
}

export function Ping({ of, changed }: { of: Webhook; changed: () => void }) {
  const [busy, setBusy] = useState(false);
  async function act(): Promise<void> {
    setBusy(true);
    try {
      const went = await post<Tested>(`/webhooks/${of.id}/test`);
      const how = went.delivered ? `took the test in ${Math.round(went.response_ms)} ms` : `did not take the test: ${went.error ?? went.status_code}`;
      tell(`${of.name} ${how}`, null, !went.delivered);
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    changed();
  }
  return (
    <button type="button" disabled={busy} onClick={() => void act()}>
      {busy ? "Testing…" : "Test"}
      <span class="hidden"> {of.name}</span>
    </button>
  );
}

export function Pause({ of, changed }: { of: Webhook; changed: () => void }) {
  const [busy, setBusy] = useState(false);
  async function act(): Promise<void> {
    setBusy(true);
    try {
      await patch(`/webhooks/${of.id}`, { is_active: !of.is_active });
      tell(of.is_active ? `${of.name} is told nothing until it is resumed` : `${of.name} is told again`);
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    changed();
  }
  return (
    <button type="button" disabled={busy} onClick={() => void act()}>
      {of.is_active ? "Pause" : "Resume"}
      <span class="hidden"> {of.name}</span>
    </button>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return <Empty title="No webhook is like that." />;
  }
  return (
    <Empty
      title="Nobody is told of anything yet."
      command={`curl ${location.origin}/api/v1/webhooks -H 'Content-Type: application/json' \\\n  -d '{"name": "on-call", "url": "https://hooks.example.com/in",\n       "events": ["alert.created", "alert.resolved"]}'`}
    >
      Have Slack, PagerDuty or a receiver of your own told, by the button or by:
    </Empty>
  );
}
