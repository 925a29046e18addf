// How the service itself does: requests, queue, storage, what is unusual, what comes round.
import { useEffect } from "preact/hooks";

import { useData, type Read } from "../data";
import { count, figure, lasting, percent, short, took } from "../format";
import { isPaused, measured, unusual } from "../live";
import { Course } from "../pieces/course";
import { Failure, Waiting } from "../pieces/marks";
import { change, route } from "../route";
import { Anomalies } from "./system-anomalies";
import { Components, useHealth, type Health } from "./system-health";
import { Jobs } from "./system-jobs";
import { Routes } from "./system-routes";
import type { Performance } from "./system-types";
import "./system.css";

const RANGES: [number, string][] = [
  [60, "1 h"],
  [360, "6 h"],
  [1440, "1 d"],
  [20_160, "14 d"],
];
const LOOK_MS = 500;
const FIRST_SECONDS = 5; // between two readings while nothing is counted yet, which takes ten

/** What the feed tells of, and how long after the last reading it is at least read again. */
const FEEDS = { measured: { told: measured, rest: 15 }, unusual: { told: unusual, rest: 0 } };

/**
 * Read what is measured at a pace of its own, and sooner when the feed tells that there is something new: a screen
 * that stands for a day may not use up what its reader may ask. A service that has just begun is looked at often,
 * until there is something to see.
 */
export function useMeasured<T>(
  path: string | null,
  seconds: number,
  feed?: keyof typeof FEEDS,
  isEmpty?: (data: T) => boolean,
): Read<T> {
  const read = useData<T>(path, true);
  const pace = read.data && isEmpty?.(read.data) ? FIRST_SECONDS : seconds;
  useEffect(() => {
    const told = feed ? FEEDS[feed].told : null;
    let last = Date.now();
    let heard = told?.peek();
    const timer = setInterval(() => {
      const waited = (Date.now() - last) / 1000;
      const due = waited >= pace || (feed && told?.peek() !== heard && waited >= FEEDS[feed].rest);
      if (due && !document.hidden && !isPaused()) {
        last = Date.now();
        heard = told?.peek();
        read.reload();
      }
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [path, pace, read.reload]);
  return read;
}

export function SystemPage() {
  const asked = Number(route.value.query.get("minutes"));
  const minutes = RANGES.find(([one]) => one === asked)?.[0] ?? 60;
  const read = useMeasured<Performance>(`/dashboard/performance?minutes=${minutes}`, 30, "measured", ({ routes }) => !routes.length);
  const health = useHealth();
  return (
    <div class={read.stale && read.data ? "system stale" : "system"}>
      <header>
        <Standing of={health} />
        <div class="ways" role="group" aria-label="Period">
          {RANGES.map(([one, name]) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === minutes}
              onClick={() => change({ minutes: one === 60 ? "" : String(one) })}
            >
              {name}
            </button>
          ))}
        </div>
      </header>
      {read.data ? <Measures of={read.data} health={health} /> : read.error ? <Failure error={read.error} retry={read.reload} /> : <Waiting />}
      <Anomalies />
      {read.data ? <Routes of={read.data.routes} /> : null}
      <Components of={health} />
      <Jobs />
    </div>
  );
}

const WORDS: Record<string, string> = {
  healthy: "All is well",
  degraded: "Not all is well",
  unhealthy: "Something is down",
};

function Standing({ of }: { of: Health | null }) {
  const status = useData<{ version: string; uptime_seconds: number }>("/status", true).data;
  const ill = Object.entries(of?.checks ?? {}).filter(([, one]) => one.status === "degraded" || one.status === "unhealthy");
  return (
    <div class="standing">
      <h1>
        <i class={`lamp ${of?.status ?? ""}`} aria-hidden="true" />
        {of ? (WORDS[of.status] ?? of.status) : "System"}
      </h1>
      <p class="quiet">
        {status ? `Hefesto ${status.version}, up for ${lasting(status.uptime_seconds)}` : "…"}
        {ill.length ? ` · look at: ${ill.map(([name]) => name).join(", ")}` : ""}
      </p>
    </div>
  );
}

/** A line: what it is called, its colour, and the measure that it shows. */
type Measure = [string, string, keyof Performance["points"][number]];

const COURSES: { title: string; unit: string; lines: Measure[] }[] = [
  { title: "Requests", unit: "a minute", lines: [["requests", "accent", "requests_per_minute"]] },
  {
    title: "Latency",
    unit: "ms",
    lines: [
      ["p99", "critical", "p99_ms"],
      ["p95", "high", "p95_ms"],
      ["p50", "medium", "p50_ms"],
    ],
  },
  {
    title: "Errors and refusals",
    unit: "",
    lines: [
      ["refused", "medium", "refused"],
      ["errors", "critical", "errors"],
    ],
  },
  { title: "Queue", unit: "waiting", lines: [["jobs", "accent", "queue_depth"]] },
];
const WAIT: (typeof COURSES)[number] = { title: "Storage writer wait", unit: "ms", lines: [["wait", "good", "storage_writer_wait_ms"]] };

function Measures({ of, health }: { of: Performance; health: Health | null }) {
  const all = of.requests;
  const times = of.points.map((one) => one.at);
  const series = ([name, colour, measure]: Measure) => ({
    name,
    colour,
    values: of.points.map((one) => one[measure] as number | null),
  });
  return (
    <section aria-labelledby="measures">
      <h2 id="measures" class="hidden">
        Measures
      </h2>
      <dl class="tiles">
        <Tile name="requests a minute" told={figure(all.requests_per_minute)} more={`${count(all.requests)} in all`} />
        <Tile name="p50" told={took(all.p50_ms)} />
        <Tile name="p95" told={took(all.p95_ms)} />
        <Tile name="p99" told={took(all.p99_ms)} />
        <Tile
          name="errors"
          told={count(all.errors)}
          more={`${percent(all.error_rate)} · ${short(all.refused)} refused`}
          bad={all.errors > 0}
        />
        <Tile
          name="queue"
          told={count(of.queue.depth)}
          more={of.queue.depth ? `oldest waits ${lasting(of.queue.oldest_waiting_seconds)}` : "nothing waits"}
        />
        <Tile name="writer wait" {...waited(of)} />
        <Tile name="cache hits" {...hits(of, health)} />
      </dl>
      <div class="courses">
        {COURSES.map(({ title, unit, lines }) => (
          <Course key={title} title={title} unit={unit} times={times} period={of.period} lines={lines.map(series)} />
        ))}
        {of.storage_writer_wait.writes ? (
          <Course title={WAIT.title} unit={WAIT.unit} times={times} period={of.period} lines={WAIT.lines.map(series)} />
        ) : null}
      </div>
    </section>
  );
}

function Tile({ name, told, more, bad = false }: { name: string; told: string; more?: string; bad?: boolean }) {
  return (
    <div class={bad ? "tile bad" : "tile"}>
      <dt>{name}</dt>
      <dd>
        <b class="figure">{told}</b>
        {more ? <span class="quiet">{more}</span> : null}
      </dd>
    </div>
  );
}

function waited(of: Performance): { told: string; more?: string } {
  const wait = of.storage_writer_wait;
  return wait.writes === 0
    ? { told: "none", more: "no write was measured" }
    : { told: took(wait.mean_ms), more: `at most ${took(wait.most_ms)}` };
}

/** A rate of nothing is no rate: say whether there is a cache, and whether anything asked it. */
function hits(of: Performance, health: Health | null): { told: string; more?: string } {
  if (of.cache_hit_rate !== null) {
    return { told: percent(of.cache_hit_rate) };
  }
  const off = health?.checks["cache"]?.status === "disabled";
  return { told: "none", more: off ? "the cache is disabled" : "nothing was asked of a cache" };
}
