// One webhook: how it goes with it, what it was told, what it was not, and telling it again.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { get, post, remove } from "../api";
import { useData } from "../data";
import { count, many, moment, percent, words } from "../format";
import { DELIVERY_STATUSES, EVENTS, type Delivery, type Health, type Told, type Webhook } from "../outgoing";
import { Latency } from "../pieces/latency";
import { useListKeys } from "../pieces/listkeys";
import { Failure, Since, Waiting } from "../pieces/marks";
import { Modal } from "../pieces/modal";
import { SecretDialog } from "../pieces/secret";
import { Strip } from "../pieces/strip";
import { complain, tell } from "../pieces/toast";
import { In, milliseconds, useSoon } from "../pieces/until";
import { StateMark } from "../pieces/verdict";
import { change, go, route, to } from "../route";
import type { Pagination } from "../types";
import { WebhookForm } from "./webhookform";
import { Pause, Ping, stateOf } from "./webhooks";

const PAGE = 25;
const GRACE: [string, number][] = [
  ["for a day", 86_400],
  ["for an hour", 3_600],
  ["for a week", 604_800],
  ["not at all", 0],
];

export function WebhookPage({ id }: { id: string }) {
  const place = `/webhooks/${encodeURIComponent(id)}`;
  const read = useData<Webhook>(place);
  const health = useData<Health>(`${place}/health`);
  const [told, setTold] = useState<Told | null>(null);
  const [version, setVersion] = useState(0);
  const asked = route.value.query.get("do") ?? "";
  const again = () => {
    read.reload();
    health.reload();
    setVersion((was) => was + 1);
  };
  useSoon((health.data?.deliveries_waiting ?? 0) > 0, again);
  if (!read.data || read.stale) {
    return read.error ? <Failure error={read.error} retry={read.reload} /> : <Waiting />;
  }
  const of = read.data;
  const close = () => change({ do: "" });
  return (
    <article class="webhook alert">
      <header class="head">
        <p class="top">
          <StateMark of={of.health_status} as={stateOf(of)} />
          <span class="times">
            changed <Since at={of.updated_at} /> ago
          </span>
        </p>
        <h1>{of.name}</h1>
        <p class="address">
          <code>{of.url}</code>
        </p>
        {of.description ? <p class="quiet">{of.description}</p> : null}
        {of.disabled_reason ? <p class="verdict">{of.disabled_reason}</p> : null}
        <dl class="facts">
          <Fact label="format">{of.format}</Fact>
          <Fact label="told of">{of.events.length ? of.events.join(", ") : "everything"}</Fact>
          <Fact label="project">{of.project ?? "all"}</Fact>
          <Fact label="probed">every {of.health_check_interval_seconds} s</Fact>
        </dl>
        <div class="acts">
          <Ping of={of} changed={again} />
          <Pause of={of} changed={again} />
          <button type="button" onClick={() => change({ do: "edit" }, false)}>
            Change <kbd>e</kbd>
          </button>
          {of.format === "standard" ? (
            <button type="button" onClick={() => change({ do: "rotate" }, false)}>
              New secret
            </button>
          ) : null}
          <button type="button" onClick={() => change({ do: "delete" }, false)}>
            Delete
          </button>
        </div>
      </header>
      <div class="columns">
        <div class="main">
          {health.data ? <Latency of={health.data} name={of.name} /> : health.error ? <Failure error={health.error} /> : <Waiting />}
          <Deliveries of={of} health={health.data} version={version} changed={again} />
        </div>
        <div class="side">{health.data ? <Condition of={health.data} /> : null}</div>
      </div>
      {asked === "edit" ? (
        <WebhookForm
          of={of}
          close={close}
          done={() => {
            close();
            again();
          }}
        />
      ) : null}
      {asked === "rotate" ? <Rotate of={of} close={close} done={setTold} /> : null}
      {asked === "delete" ? <Delete of={of} health={health.data} close={close} /> : null}
      {told ? <SecretDialog of={told} close={() => setTold(null)} /> : null}
    </article>
  );
}

function Fact({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Condition({ of }: { of: Health }) {
  const ago = (text: string | null) => (text ? <Since at={text} /> : null);
  return (
    <section aria-labelledby="health">
      <h2 id="health">Health</h2>
      <Strip of={of.attempt_log} most={30} />
      <dl class="condition">
        <Fact label="success rate">{of.success_rate === null ? "not tried" : percent(of.success_rate)}</Fact>
        <Fact label="half within">{of.p50_ms === null ? "–" : milliseconds(of.p50_ms)}</Fact>
        <Fact label="95 % within">{of.p95_ms === null ? "–" : milliseconds(of.p95_ms)}</Fact>
        <Fact label="failed in a row">{count(of.consecutive_failures)}</Fact>
        <Fact label="last success">{of.last_success_at ? <>{ago(of.last_success_at)} ago</> : "never"}</Fact>
        <Fact label="last failure">{of.last_failure_at ? <>{ago(of.last_failure_at)} ago</> : "never"}</Fact>
        <Fact label="waiting">{count(of.deliveries_waiting)}</Fact>
        <Fact label="next attempt">{of.next_attempt_at ? <In at={of.next_attempt_at} /> : "none is due"}</Fact>
        <Fact label="next probe">{of.next_check_at ? <In at={of.next_check_at} /> : "none"}</Fact>
        <Fact label="dead letters">{count(of.dead_letters)}</Fact>
      </dl>
    </section>
  );
}

interface Listed {
  deliveries: Delivery[];
  total_count: number;
  pagination: Pagination;
}

interface Shown {
  of: Webhook;
  health: Health | null;
  version: number;
  changed: () => void;
}

function Deliveries({ of, health, version, changed }: Shown) {
  const query = route.value.query;
  const asked = new URLSearchParams({ limit: String(PAGE) });
  for (const name of ["status", "event_type"]) {
    const value = query.get(name);
    if (value) {
      asked.set(name, value);
    }
  }
  const path = `/webhooks/${of.id}/deliveries?${asked}`;
  const first = useData<Listed>(path);
  const [more, setMore] = useState<{ path: string; items: Delivery[]; next: string | null }>({ path, items: [], next: null });
  const [busy, setBusy] = useState(false);
  const at = useSignal(0);
  const rows = useRef<HTMLOListElement>(null);
  const later = more.path === path ? more : { path, items: [], next: null };
  const items = [...new Map([...(first.data?.deliveries ?? []), ...later.items].map((one) => [one.id, one])).values()];
  const next = later.items.length ? later.next : (first.data?.pagination.next_cursor ?? null);
  const opened = query.get("delivery") ?? "";
  const toggle = (id: string) => change({ delivery: id === opened ? "" : id });

  useEffect(() => {
    if (version) {
      first.reload();
    }
  }, [version]);
  useListKeys(at, items.length, rows, () => toggle(items[at.value]?.id ?? ""), {
    e: () => change({ do: "edit" }, false),
    r: () => {
      const one = items[at.value];
      if (one && one.status !== "pending") {
        void replay(one);
      }
    },
    Escape: () => change({ delivery: "" }),
  });

  async function replay(one: Delivery): Promise<void> {
    try {
      await post(`/webhooks/deliveries/${one.id}/redeliver`);
      tell(`Sent anew: ${one.event_type}`);
    } catch (failure) {
      complain(failure);
    }
    changed();
  }

  async function replayAll(): Promise<void> {
    setBusy(true);
    try {
      const done = await post<{ redelivered: number }>(`/webhooks/${of.id}/redeliver`);
      tell(`Sent anew: ${many(done.redelivered, "dead letter")}`);
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    changed();
  }

  async function readOn(): Promise<void> {
    try {
      const page = await get<Listed>(`${path}&cursor=${encodeURIComponent(next ?? "")}`);
      const cursor = page.pagination.has_more ? page.pagination.next_cursor : null;
      setMore({ path, items: [...later.items, ...page.deliveries], next: cursor });
    } catch (failure) {
      complain(failure);
    }
  }

  const dead = health?.dead_letters ?? 0;
  return (
    <section class="deliveries" aria-labelledby="deliveries">
      <div class="heading">
        <h2 id="deliveries">
          Deliveries <span class="quiet figure">{first.data ? count(first.data.total_count) : ""}</span>
        </h2>
        <div class="filters">
          <Choice name="status" all="every status" of={DELIVERY_STATUSES} />
          <Choice name="event_type" all="every event" of={of.events.length ? of.events : EVENTS} />
          {dead ? (
            <button type="button" class="primary" disabled={busy || !of.is_active} onClick={() => void replayAll()}>
              Replay {dead === 1 ? "the dead letter" : `all ${count(dead)} dead letters`}
            </button>
          ) : null}
        </div>
      </div>
      {dead && !of.is_active ? <p class="quiet">It is paused: resume it to replay its dead letters.</p> : null}
      {first.error ? <Failure error={first.error} retry={first.reload} /> : null}
      {!first.data && !first.error ? <Waiting /> : null}
      {first.data && items.length === 0 ? (
        <p class="quiet">
          {query.has("status") || query.has("event_type")
            ? "Nothing fits these filters."
            : "Nothing has happened that it is told of since it was made. Send a test to try it."}
        </p>
      ) : null}
      <ol ref={rows} class={first.stale ? "stale" : ""}>
        {items.map((one, number) => (
          <DeliveryRow
            key={one.id}
            of={one}
            here={number === at.value}
            open={one.id === opened}
            toggle={() => toggle(one.id)}
            replay={of.is_active && one.status !== "pending" ? () => void replay(one) : null}
          />
        ))}
      </ol>
      {next && items.length ? (
        <button type="button" class="more" onClick={() => void readOn()}>
          More
        </button>
      ) : null}
    </section>
  );
}

interface RowOf {
  of: Delivery;
  here: boolean;
  open: boolean;
  toggle: () => void;
  replay: (() => void) | null;
}

function DeliveryRow({ of, here, open, toggle, replay }: RowOf) {
  return (
    <li class={here ? "here" : ""} aria-current={here ? "true" : undefined}>
      <div class="line">
        <button type="button" class="fold" aria-expanded={open} onClick={toggle}>
          <StateMark of={of.status} as={of.status === "pending" ? "waiting" : of.status} />
          <code>{of.event_type}</code>
          <span class="quiet">
            <Since at={of.created_at} /> ago · {many(of.attempts, "attempt")}
            {of.status === "pending" && of.next_attempt_at ? (
              <>
                {" · next "}
                <In at={of.next_attempt_at} />
              </>
            ) : null}
          </span>
          {of.error && of.status !== "delivered" ? <span class="why">{of.error}</span> : null}
        </button>
        {replay ? (
          <button type="button" onClick={replay}>
            Replay<span class="hidden"> {of.event_type}</span>
          </button>
        ) : null}
      </div>
      {open ? <Log of={of} /> : null}
    </li>
  );
}

function Log({ of }: { of: Delivery }) {
  return (
    <div class="log">
      <p class="quiet">
        webhook-id <code>{of.id}</code> · event <code>{of.event_id}</code>
      </p>
      {of.attempt_log.length ? (
        <table>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">How</th>
              <th scope="col">Answer</th>
              <th scope="col">Took</th>
            </tr>
          </thead>
          <tbody>
            {of.attempt_log.map((one, number) => (
              <tr key={number}>
                <td>{moment(one.at)}</td>
                <td>
                  <StateMark of={one.is_success ? "delivered" : "failing"} as={one.is_success ? "taken" : "failed"} />
                </td>
                <td>
                  {one.status_code ?? "none"}
                  {one.error ? <span class="quiet"> {one.error}</span> : null}
                </td>
                <td class="figure">{milliseconds(one.response_ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="quiet">It was not tried yet.</p>
      )}
    </div>
  );
}

function Choice({ name, all, of }: { name: string; all: string; of: string[] }) {
  return (
    <label>
      <span class="hidden">{words(name)}</span>
      <select
        value={route.value.query.get(name) ?? ""}
        onChange={(event) => change({ [name]: event.currentTarget.value })}
      >
        <option value="">{all}</option>
        {of.map((one) => (
          <option key={one} value={one}>
            {words(one.replace(".", " "))}
          </option>
        ))}
      </select>
    </label>
  );
}

function Rotate({ of, close, done }: { of: Webhook; close: () => void; done: (told: Told) => void }) {
  const [grace, setGrace] = useState(86_400);
  const [busy, setBusy] = useState(false);
  async function act(): Promise<void> {
    setBusy(true);
    try {
      const told = await post<Told>(`/webhooks/${of.id}/rotate-secret`, { grace_seconds: grace });
      close();
      done(told);
    } catch (failure) {
      complain(failure);
      setBusy(false);
    }
  }
  return (
    <Modal title={`A new secret for ${of.name}`} close={close}>
      <p>The new one signs at once. The former one signs beside it, so that the receiver can be changed in between:</p>
      <p>
        <label>
          <span class="hidden">The former secret signs</span>
          <select value={String(grace)} onChange={(event) => setGrace(Number(event.currentTarget.value))}>
            {GRACE.map(([label, seconds]) => (
              <option key={seconds} value={String(seconds)}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </p>
      <div class="acts">
        <button type="button" class="primary" disabled={busy} onClick={() => void act()}>
          Make a new secret
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
    </Modal>
  );
}

function Delete({ of, health, close }: { of: Webhook; health: Health | null; close: () => void }) {
  const [busy, setBusy] = useState(false);
  const lost = (health?.deliveries_waiting ?? 0) + (health?.dead_letters ?? 0);
  async function act(): Promise<void> {
    setBusy(true);
    try {
      await remove(`/webhooks/${of.id}`);
      tell(`Deleted: ${of.name}`);
      go(to("/webhooks"), true);
    } catch (failure) {
      complain(failure);
      setBusy(false);
    }
  }
  return (
    <Modal title={`Delete ${of.name}?`} close={close}>
      <p>
        All that it was told goes with it
        {lost ? `, and ${many(lost, "message")} that it has not been told` : ""}. There is no way back; to have it told
        nothing for a while, pause it.
      </p>
      <div class="acts">
        <button type="button" class="danger" disabled={busy} onClick={() => void act()}>
          Delete it
        </button>
        <button type="button" onClick={close}>
          Cancel
        </button>
      </div>
    </Modal>
  );
}
