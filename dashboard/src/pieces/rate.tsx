// How often an alert occurred, with the deployments of its project as lines between the bars.
import { useRef } from "preact/hooks";

import { useData } from "../data";
import { count, hash, many, moment } from "../format";
import type { Timeline } from "../types";
import { csv, Keep } from "./keep";
import "./rate.css";

const HEIGHT = 56;
const WIDTH = 1000;

export function Rate({ id }: { id: string }) {
  const read = useData<Timeline>(`/alerts/${id}/timeline`);
  const drawn = useRef<SVGSVGElement>(null);
  const of = read.stale ? null : read.data;
  if (!of || of.total < 2) {
    return null; // one occurrence is no course
  }
  const start = Date.parse(of.period.start);
  const span = Math.max(1, Date.parse(of.period.end) - start);
  const most = Math.max(...of.buckets.map((one) => one.count));
  const x = (text: string) => ((Date.parse(text) - start) / span) * WIDTH;
  const wide = Math.max(2, WIDTH / of.buckets.length - 2);
  const name = (one: Timeline["deployments"][number]) => one.release ?? hash(one.commit_hash ?? "");
  return (
    <section class="rate" aria-labelledby="rate">
      <header>
        <h2 id="rate">Rate</h2>
        <Keep title="Rate" table={() => table(of)} drawn={() => drawn.current} />
      </header>
      <svg ref={drawn} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={told(of)}>
        {of.buckets.map((one) =>
          one.count ? (
            <rect
              key={one.start}
              x={Math.min(x(one.start), WIDTH - wide)}
              width={wide}
              y={HEIGHT - Math.max(3, (one.count / most) * HEIGHT)}
              height={Math.max(3, (one.count / most) * HEIGHT)}
            >
              <title>{`${moment(one.start)}: ${count(one.count)}`}</title>
            </rect>
          ) : null,
        )}
        {of.deployments.map((one) => (
          <line key={one.id} x1={x(one.deployed_at)} x2={x(one.deployed_at)} y1="0" y2={HEIGHT}>
            <title>{`${name(one)}, ${moment(one.deployed_at)}`}</title>
          </line>
        ))}
      </svg>
      <p class="quiet">
        <span>{moment(of.period.start)}</span>
        <span>{of.deployments.length ? `deployed: ${of.deployments.map(name).join(", ")}` : ""}</span>
        <span>{moment(of.period.end)}</span>
      </p>
    </section>
  );
}

/** What was counted, and among it what was deployed. */
function table(of: Timeline): string {
  const counted = of.buckets.map((one) => [one.start, one.count, null, null]);
  const deployed = of.deployments.map((one) => [one.deployed_at, null, one.release, one.commit_hash]);
  const rows = [...counted, ...deployed].sort((one, other) => Date.parse(String(one[0])) - Date.parse(String(other[0])));
  return csv([["time", "occurrences", "deployed_release", "deployed_commit"], ...rows]);
}

function told(of: Timeline): string {
  const during = of.deployments.length ? `, ${many(of.deployments.length, "deployment")} meanwhile` : "";
  return `${many(of.total, "occurrence")} from ${moment(of.period.start)} to ${moment(of.period.end)}${during}`;
}
