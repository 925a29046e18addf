// How good the code is, where it goes, and where to begin.
import { useData } from "../data";
import { count, short, words } from "../format";
import { Chart } from "../pieces/chart";
import { Hotspots } from "../pieces/hotspots";
import { Empty, Failure, Place, Waiting } from "../pieces/marks";
import { change, project, route, to } from "../route";
import type { Point, Summary } from "../types";

const RANGES = [30, 90, 365];
const LEAST_POINTS = 7;
const SEVERE = ["critical", "high", "medium", "low"] as const;

export function QualityPage() {
  const days = RANGES.find((one) => String(one) === route.value.query.get("days")) ?? 30;
  const within = project.value ? `&project=${encodeURIComponent(project.value)}` : "";
  const start = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
  const summary = useData<Summary>(`/metrics/summary?start_date=${start}${within}`);
  const trends = useData<{ data_points: Point[] }>(
    `/metrics/trends?days=${days}&period=${days > 90 ? "weekly" : "daily"}${within}`,
  );
  const failed = summary.error ?? trends.error;
  if (!summary.data || !trends.data) {
    return failed ? <Failure error={failed} retry={summary.reload} /> : <Waiting />;
  }
  const of = summary.data;
  if (of.total_analyses === 0 && of.total_findings === 0 && of.quality.lines_of_code === 0) {
    return (
      <>
        <h1 class="hidden">Quality</h1>
        <Empty
          title="Nothing was analysed yet."
          command={`curl ${location.origin}/api/v1/analyze -H 'Content-Type: application/json' \\\n  -d '{"path": "."}'`}
        >
          The first analysis gives the first grade:
        </Empty>
      </>
    );
  }
  const first = firstKnown(trends.data.data_points, of.comparison_previous_period !== null);
  const from = Math.max(0, first - LEAST_POINTS);
  const points = trends.data.data_points.slice(from);
  const dates = points.map((one) => one.date);
  const series = (name: keyof Point, colour: string) => ({
    name: String(name),
    colour,
    values: points.map((one) => Number(one[name])),
  });
  const score = {
    name: "score",
    colour: "accent",
    values: points.map((one, index) => (from + index < first ? null : one.quality_score)),
  };
  return (
    <div class={summary.stale ? "quality stale" : "quality"}>
      <header>
        <h1 class="hidden">Quality</h1>
        <Grade of={of} />
        <div class="ways" role="group" aria-label="Days">
          {RANGES.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === days}
              onClick={() => change({ days: one === 30 ? "" : String(one) })}
            >
              {one} d
            </button>
          ))}
        </div>
      </header>
      <div class="charts">
        <Chart title="Score" days={dates} kind="line" top={100} series={[score]} />
        <Chart
          title="Open by severity"
          days={dates}
          kind="stack"
          series={SEVERE.map((name) => series(name, name))}
        />
        <Chart
          title="Opened against resolved"
          days={dates}
          kind="mirror"
          series={[series("opened", "high"), series("resolved", "good")]}
        />
        <Files of={of} />
      </div>
      <Hotspots days={days} within={within} />
    </div>
  );
}

/**
 * The first point of which anything is known: before it no code was scored, and nothing was wrong only for want of
 * looking. Of code in which nothing was ever found only today's point is certain.
 */
function firstKnown(points: Point[], known: boolean): number {
  const first = known ? 0 : points.findIndex((one) => one.total_findings || one.opened || one.resolved);
  return first < 0 ? points.length - 1 : first;
}

function Grade({ of }: { of: Summary }) {
  const change = of.comparison_previous_period;
  const moved = change?.quality_score_change ?? 0;
  return (
    <div class="grade">
      <span class={`letter g-${of.quality_grade.toLowerCase()}`}>{of.quality_grade}</span>
      <div>
        <p class="score">
          <b class="figure">{of.quality_score.toFixed(1)}</b> <span class="quiet">of 100</span>
        </p>
        <p class="quiet">
          {words(of.trend)}
          {moved ? `, ${moved > 0 ? "+" : "−"}${Math.abs(moved).toFixed(1)}` : ""}
        </p>
        <p class="quiet">
          {short(of.quality.lines_of_code)} lines · {of.quality.density.toFixed(1)} weight per 1000 ·{" "}
          {count(of.total_findings)} open
        </p>
      </div>
    </div>
  );
}

function Files({ of }: { of: Summary }) {
  const most = Math.max(1, ...of.top_files.map((one) => one.weight));
  return (
    <section class="files" aria-labelledby="files">
      <h2 id="files">Where to begin</h2>
      <ol>
        {of.top_files.map((one) => (
          <li key={`${one.project}:${one.file_path}`}>
            <a href={to("/findings", { file_path: one.file_path, project: one.project })}>
              <Place path={one.file_path} />
              <span class="figure">{count(one.total)}</span>
              <span class="weight" aria-hidden="true" style={{ width: `${(one.weight / most) * 100}%` }}>
                {SEVERE.map((name) =>
                  one[name] ? <i key={name} class={`c-${name}`} style={{ flexGrow: one[name] }} /> : null,
                )}
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
