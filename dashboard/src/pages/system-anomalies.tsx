// What is not as it usually is: each with the band it was expected in, and its course with the episodes marked.
import { figure, moment, words } from "../format";
import { Course } from "../pieces/course";
import { Failure, SeverityMark, Since } from "../pieces/marks";
import { change, project, route } from "../route";
import { useMeasured } from "./system";
import type { Anomaly, Baseline } from "./system-types";

interface Told {
  anomalies: Anomaly[];
  baselines: Baseline[];
}

const UNITS: Record<string, string> = {
  http_p95_ms: "ms",
  writer_wait_ms: "ms",
  oldest_job_seconds: "s",
  alerts_per_hour: "an hour",
  findings_per_hour: "an hour",
};
const LEARNED: Record<string, string> = {
  hour_of_week: "by hour of week",
  hour_of_day: "by hour of day",
  none: "too little is known yet",
};
const MOST = 20;

export function Anomalies() {
  const within = project.value ? `&project=${encodeURIComponent(project.value)}` : "";
  const read = useMeasured<Told>(`/dashboard/anomalies?days=14${within}`, 120, "unusual");
  const chosen = route.value.query.get("metric") ?? read.data?.anomalies[0]?.metric ?? "";
  const of = read.data;
  if (!of) {
    return read.error ? <Failure error={read.error} retry={read.reload} /> : null;
  }
  const open = of.anomalies.filter((one) => one.status === "open").length;
  return (
    <section class="anomalies" aria-labelledby="anomalies">
      <h2 id="anomalies">
        Anomalies{" "}
        <span class="quiet figure">
          {of.anomalies.length ? `${open} open, ${of.anomalies.length - open} ended in 14 days` : "none in 14 days"}
        </span>
      </h2>
      {of.anomalies.length ? (
        <ol class="unusual">
          {of.anomalies.slice(0, MOST).map((one) => (
            <li key={one.id} class={one.status}>
              <SeverityMark of={one.severity} />
              <button type="button" class="name" aria-pressed={one.metric === chosen} onClick={() => choose(one.metric)}>
                {called(one)}
              </button>
              <span class="figures">
                <b class="figure">{figure(one.value)}</b> {UNITS[one.metric] ?? ""}{" "}
                <span class="quiet">
                  over {figure(one.expected)} expected, {figure(one.lower)} to {figure(one.upper)} usual
                </span>
              </span>
              <Bullet of={one} />
              <span class="quiet when">
                {one.ended_at ? `${moment(one.started_at)} to ${moment(one.ended_at)}` : <>since <Since at={one.started_at} /></>}
              </span>
            </li>
          ))}
        </ol>
      ) : null}
      <Baselines of={of.baselines} chosen={chosen} />
      {chosen ? <MetricCourse metric={chosen} within={within} /> : null}
    </section>
  );
}

function choose(metric: string): void {
  change({ metric: route.value.query.get("metric") === metric ? "" : metric });
}

function called(one: { metric: string; project: string | null }): string {
  const name = words(one.metric.replace(/_(ms|seconds)$/, ""));
  return one.project ? `${name}, ${one.project}` : name;
}

/** The band, what was expected, and the value beside it. */
function Bullet({ of }: { of: Anomaly }) {
  const most = Math.max(of.value, of.upper) * 1.05 || 1;
  const x = (value: number) => Math.max(0, (value / most) * 160);
  return (
    <svg class="bullet" width="160" height="14" viewBox="0 0 160 14" aria-hidden="true">
      <line x1="0" x2="160" y1="7" y2="7" class="axis" />
      <rect x={x(of.lower)} y="3" width={Math.max(2, x(of.upper) - x(of.lower))} height="8" class="band" />
      <line x1={x(of.expected)} x2={x(of.expected)} y1="3" y2="11" class="expected" />
      <circle cx={Math.min(155, x(of.value))} cy="7" r="4" class="value" />
    </svg>
  );
}

function Baselines({ of, chosen }: { of: Baseline[]; chosen: string }) {
  if (of.length === 0) {
    return (
      <p class="quiet">
        No baseline is learned yet. A worker (<code>hefesto serve</code> has one) makes points every five minutes; after
        seven days it knows what is usual, and says nothing before.
      </p>
    );
  }
  return (
    <ul class="baselines" aria-label="Baselines">
      {of.slice(0, MOST).map((one) => (
        <li key={`${one.metric} ${one.project}`}>
          <button type="button" class="chip" aria-pressed={one.metric === chosen} onClick={() => choose(one.metric)}>
            {called(one)} <b class="figure">{figure(one.value)}</b>
          </button>
          <span class="quiet">
            {one.lower === null || one.upper === null
              ? LEARNED["none"]
              : `${figure(one.lower)} to ${figure(one.upper)} usual, ${LEARNED[one.granularity]}`}
            {one.granularity === "none" ? `: ${one.learned_from_days} of 7 days` : ""}
          </span>
        </li>
      ))}
    </ul>
  );
}

function MetricCourse({ metric, within }: { metric: string; within: string }) {
  const read = useMeasured<Told>(`/dashboard/anomalies?days=14&metric=${encodeURIComponent(metric)}${within}`, 120, "unusual");
  const of = read.data?.baselines.filter((one) => one.points.length) ?? [];
  if (!read.data || read.stale) {
    return null;
  }
  if (of.length === 0) {
    return <p class="quiet">Of {words(metric)} nothing was measured in the last day.</p>;
  }
  return (
    <div class="courses">
      {of.map((one) => (
        <Course
          key={`${one.metric} ${one.project}`}
          title={`${called(one)}, last day`}
          unit={UNITS[one.metric] ?? ""}
          height={168}
          times={one.points.map((each) => each.at)}
          lines={[
            { name: "measured", colour: "accent", values: one.points.map((each) => each.value) },
            { name: "expected", colour: "medium", values: one.points.map((each) => each.expected) },
          ]}
          band={{ lower: one.points.map((each) => each.lower), upper: one.points.map((each) => each.upper) }}
          episodes={(read.data as Told).anomalies
            .filter((each) => each.project === one.project && (!each.ended_at || each.ended_at > (one.points[0]?.at ?? "")))
            .map((each) => ({ start: each.started_at, end: each.ended_at, label: `unusual since ${moment(each.started_at)}` }))}
        />
      ))}
    </div>
  );
}
