// One webhook: how it goes with it, what it was told, what it was not, and telling it again.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { post, remove } from "../api";
import { useData } from "../data";
import { count, many, percent } from "../format";
import type { Health, Told, Webhook } from "../outgoing";
import { Latency } from "../pieces/latency";
import { Failure, Since, Waiting } from "../pieces/marks";
import { Modal } from "../pieces/modal";
import { SecretDialog } from "../pieces/secret";
import { Strip } from "../pieces/strip";
import { complain, tell } from "../pieces/toast";
import { In, milliseconds, useSoon } from "../pieces/until";
import { StateMark } from "../pieces/verdict";
import { change, go, route, to } from "../route";
import { Deliveries } from "./webhookdeliveries";
import { WebhookForm } from "./webhookform";
import { Pause, Ping, stateOf } from "./webhooks";

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
