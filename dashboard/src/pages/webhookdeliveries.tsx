// What a webhook was told and was not, with each attempt, and telling it again.
import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { get, post } from "../api";
import { useData } from "../data";
import { count, many, moment, words } from "../format";
import { DELIVERY_STATUSES, EVENTS, type Delivery, type Health, type Webhook } from "../outgoing";
import { useListKeys } from "../pieces/listkeys";
import { Failure, Since, Waiting } from "../pieces/marks";
import { complain, tell } from "../pieces/toast";
import { In, milliseconds } from "../pieces/until";
import { StateMark } from "../pieces/verdict";
import { change, route } from "../route";
import type { Pagination } from "../types";

const PAGE = 25;

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

export function Deliveries({ of, health, version, changed }: Shown) {
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
