// How each part of the service is, looked at now.
import { useEffect, useState } from "preact/hooks";

import { useData } from "../data";
import { bytes, count, lasting, percent, took, words } from "../format";
import { may } from "../session";
import type { Info } from "./system-types";

interface Check {
  status: string;
  latency_ms: number;
  details: Record<string, unknown>;
}

export interface Health {
  status: string;
  checks: Record<string, Check>;
  warnings: string[];
}

const OFTEN_MS = 10_000;
const STATES: Record<string, string> = { healthy: "well", degraded: "degraded", unhealthy: "down", disabled: "disabled" };

/** Look at every part every ten seconds; it is open to everybody, and answers 503 with the same data. */
export function useHealth(): Health | null {
  const [health, setHealth] = useState<Health | null>(null);
  useEffect(() => {
    let gone = false;
    const look = async () => {
      const answer = await fetch("/health/deep", { headers: { Accept: "application/json" } }).catch(() => null);
      const body = (await answer?.json().catch(() => null)) as { data?: Health } | null;
      if (!gone && body?.data) {
        setHealth(body.data);
      }
    };
    void look();
    const timer = setInterval(() => document.hidden || void look(), OFTEN_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, []);
  return health;
}

export function Components({ of }: { of: Health | null }) {
  const admin = may("admin");
  const info = useData<Info>(admin ? "/system/info" : null, true);
  return (
    <section class="components" aria-labelledby="components">
      <h2 id="components">Components</h2>
      {of?.warnings.map((one) => (
        <p key={one} class="warning">
          {one}
        </p>
      ))}
      <ul class="parts">
        {Object.entries(of?.checks ?? {}).map(([name, one]) => (
          <li key={name}>
            <i class={`lamp ${one.status}`} aria-hidden="true" />
            <span class="name">{name}</span>
            <span class="state">{STATES[one.status] ?? one.status}</span>
            <span class="quiet figure latency">{one.status === "disabled" ? "" : took(one.latency_ms)}</span>
            <span class="quiet detail">{detail(one)}</span>
          </li>
        ))}
      </ul>
      {info.data ? (
        <dl class="facts">
          <Fact name="version" told={info.data.version} />
          <Fact name="up for" told={lasting(info.data.process.uptime_seconds)} />
          <Fact name="database" told={`${info.data.database.kind} ${info.data.database.version}`} />
          <Fact name="its size" told={bytes(info.data.database.size_bytes)} />
          <Fact name="schema" told={info.data.schema_revision} />
          <Fact name="workers" told={count(info.data.worker_count)} />
          <Fact name="memory of the process" told={bytes(info.data.process.memory_bytes)} />
          <Fact name="threads" told={count(info.data.process.threads)} />
          {Object.entries(info.data.versions).map(([name, version]) => (
            <Fact key={name} name={name} told={version} />
          ))}
        </dl>
      ) : admin ? null : (
        <p class="quiet">
          The size of the database and the versions are shown to who has the scope <code>admin</code>.
        </p>
      )}
    </section>
  );
}

function Fact({ name, told }: { name: string; told: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="figure">{told}</dd>
    </div>
  );
}

function detail({ details }: Check): string {
  const free = Number(details["free_bytes"]);
  const total = Number(details["total_bytes"]);
  if (total) {
    return `${bytes(free)} of ${bytes(total)} free (${percent(free / total)})`;
  }
  return Object.entries(details)
    .map(([key, one]) => `${words(key)} ${said(one)}`)
    .join(", ");
}

function said(one: unknown): string {
  if (one === null || typeof one !== "object") {
    return String(one);
  }
  const each = Object.entries(one).map(([name, value]) => `${String(value)} ${name}`);
  return each.join(" ") || "none";
}
