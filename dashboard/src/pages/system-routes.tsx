// The routes that were asked for: a table to sort, with a small plot of how long each takes.
import { useState } from "preact/hooks";

import { count, figure, percent, took } from "../format";
import { save } from "../pieces/keep";
import { Empty } from "../pieces/marks";
import { change, route } from "../route";
import type { RouteMeasures } from "./system-types";

type Column = keyof RouteMeasures;

const COLUMNS: [Column, string][] = [
  ["route", "Route"],
  ["requests", "Requests"],
  ["requests_per_minute", "A minute"],
  ["p50_ms", "p50"],
  ["p95_ms", "p95"],
  ["p99_ms", "p99"],
  ["refused", "Refused"],
  ["errors", "Errors"],
];
const FIRST = 12;
const LEAST_MS = 0.5; // where the plots begin

export function Routes({ of }: { of: RouteMeasures[] }) {
  const [whole, setWhole] = useState(false);
  const sort = route.value.query.get("sort") ?? "-requests";
  const column = (COLUMNS.find(([name]) => name === sort.replace(/^-/, ""))?.[0] ?? "requests") satisfies Column;
  const down = sort.startsWith("-");
  const sorted = [...of].sort((a, b) => compare(a[column], b[column]) * (down ? -1 : 1));
  const most = Math.max(LEAST_MS * 2, ...of.map((one) => one.p99_ms ?? 0));
  const shown = whole ? sorted : sorted.slice(0, FIRST);

  if (of.length === 0) {
    return (
      <section class="routes" aria-labelledby="routes">
        <h2 id="routes">Routes</h2>
        <Empty title="Nothing was asked in this time." command={`curl ${location.origin}/api/v1/status`}>
          The first requests are counted within ten seconds:
        </Empty>
      </section>
    );
  }
  return (
    <section class="routes" aria-labelledby="routes">
      <div class="head">
        <h2 id="routes">
          Routes <span class="quiet figure">{of.length}</span>
        </h2>
        <div class="keep">
          <button type="button" onClick={() => save("hefesto-routes.csv", "text/csv", table(sorted))}>
            CSV<span class="hidden"> of the routes</span>
          </button>
        </div>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Routes">
        <table>
          <thead>
            <tr>
              {COLUMNS.map(([name, title]) => (
                <th
                  key={name}
                  scope="col"
                  class={name}
                  aria-sort={column === name ? (down ? "descending" : "ascending") : undefined}
                >
                  <button type="button" onClick={() => change({ sort: toggled(name, column, down) })}>
                    {title}
                  </button>
                </th>
              ))}
              <th scope="col" class="range">
                p50 to p99
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.route}>
                <th scope="row">
                  <Named route={one.route} />
                </th>
                <td>{count(one.requests)}</td>
                <td class="requests_per_minute">{figure(one.requests_per_minute)}</td>
                <td class="p50_ms">{took(one.p50_ms)}</td>
                <td>{took(one.p95_ms)}</td>
                <td class="p99_ms">{took(one.p99_ms)}</td>
                <td class="refused">{one.refused ? count(one.refused) : "–"}</td>
                <td class={one.errors ? "bad" : ""}>
                  {one.errors ? `${count(one.errors)} · ${percent(one.error_rate)}` : "–"}
                </td>
                <td class="range">
                  <Range of={one} most={most} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {sorted.length > FIRST ? (
        <button type="button" class="plain" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "Fewer" : `All ${sorted.length}`}
        </button>
      ) : null}
    </section>
  );
}

function Named({ route: name }: { route: string }) {
  const [method, ...path] = name.split(" ");
  return (
    <code>
      <span class="quiet">{method}</span> {path.join(" ")}
    </code>
  );
}

/** From the median to the slowest hundredth, on a scale of powers. */
function Range({ of, most }: { of: RouteMeasures; most: number }) {
  if (of.p50_ms === null || of.p99_ms === null || of.p95_ms === null) {
    return null;
  }
  const x = (value: number) => (Math.log(Math.max(value, LEAST_MS) / LEAST_MS) / Math.log(most / LEAST_MS)) * 116 + 2;
  return (
    <svg width="120" height="12" viewBox="0 0 120 12" aria-hidden="true">
      <line x1="0" x2="120" y1="6" y2="6" class="axis" />
      <line x1={x(of.p50_ms)} x2={x(of.p99_ms)} y1="6" y2="6" class="reach" />
      <circle cx={x(of.p50_ms)} cy="6" r="3" class="middle" />
      <line x1={x(of.p95_ms)} x2={x(of.p95_ms)} y1="2" y2="10" class="late" />
    </svg>
  );
}

function compare(a: string | number | null, b: string | number | null): number {
  return typeof a === "string" ? a.localeCompare(String(b)) : (a ?? -1) - (Number(b ?? -1));
}

/** What to sort by when a heading is pressed: figures begin with the largest. */
function toggled(name: Column, column: Column, down: boolean): string {
  const next = name === column ? (down ? name : `-${name}`) : name === "route" ? name : `-${name}`;
  return next === "-requests" ? "" : next;
}

function table(of: RouteMeasures[]): string {
  const names = COLUMNS.map(([name]) => name);
  return [names.join(","), ...of.map((one) => names.map((name) => one[name] ?? "").join(",")), ""].join("\r\n");
}
