// Measures over time as SVG: lines with gaps where nothing was measured, the band of what is usual, and the
// stretches in which it was not; read by keyboard and pointer, saved as CSV and SVG.
import { figure, moment } from "../format";
import { nice } from "./chart";
import { csv } from "./keep";
import { Plot, usePlot } from "./plot";
import "./course.css";

export interface Line {
  name: string;
  /** The part of the class `c-…` that gives the colour. */
  colour: string;
  values: (number | null)[];
}

export interface Band {
  lower: (number | null)[];
  upper: (number | null)[];
}

/** A stretch of time to be seen, such as an anomaly; it may still go on. */
export interface Episode {
  start: string;
  end: string | null;
  label: string;
}

interface Drawn {
  title: string;
  /** What the figures count, as after a figure: `ms`, `a minute`. */
  unit: string;
  times: string[];
  lines: Line[];
  /** The whole stretch, where it is longer than what was measured. */
  period?: { start: string; end: string };
  band?: Band;
  episodes?: Episode[];
  height?: number;
}

const LEFT = 44;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;
const GAP = 2.5; // steps without a point that break a line
const LONG_MS = 36 * 3_600_000;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function Course({ title, unit, times, lines, period, band, episodes = [], height = 132 }: Drawn) {
  const plot = usePlot(220);
  const { width, at } = plot;
  const moments = times.map((one) => Date.parse(one));
  const last = moments.length - 1;
  const start = period ? Date.parse(period.start) : (moments[0] ?? 0);
  const end = Math.max(period ? Date.parse(period.end) : (moments[last] ?? 1), start + 1);
  const step = Math.min(...moments.slice(1).map((one, index) => one - (moments[index] ?? 0)), end - start);
  const all = [...lines.map((one) => one.values), band?.upper ?? []].flat();
  const high = nice(Math.max(0, ...all.map((one) => one ?? 0)) || 1);
  const inner = width - LEFT - RIGHT;
  const x = (when: number) => LEFT + Math.min(1, Math.max(0, (when - start) / (end - start))) * inner;
  const y = (value: number) => TOP + (1 - value / high) * (height - TOP - BOTTOM);
  const shown = Math.min(at ?? last, last);
  const tell = end - start > LONG_MS ? DAY : CLOCK;
  const ticks = Math.max(2, Math.min(6, Math.floor(inner / 90)));

  function nearest(from: number): number | null {
    const when = start + ((from - LEFT) / inner) * (end - start);
    const distances = moments.map((one) => Math.abs(one - when));
    return distances.length ? distances.indexOf(Math.min(...distances)) : null;
  }

  return (
    <Plot
      of={plot}
      kind="course"
      heading={<h3>{title}</h3>}
      title={title}
      table={() => table(times, lines, band)}
      label={`${title}: a step at a time by the arrow keys`}
      height={height}
      last={last}
      told={told}
      under={nearest}
      legend={
        <>
          <span class="day">{times[shown] ? moment(times[shown] as string) : "nothing measured yet"}</span>
          {lines.map((one) => (
            <span key={one.name}>
              <i class={`c-${one.colour}`} />
              {one.name} <b>{value(one.values[shown])}</b>
            </span>
          ))}
          {band && band.upper[shown] != null ? (
            <span>
              <i class="c-band" />
              usual <b>{`${figure(band.lower[shown] ?? 0)} to ${figure(band.upper[shown] ?? 0)}`}</b>
            </span>
          ) : null}
        </>
      }
    >
          {episodes.map((one) => {
            const from = x(Date.parse(one.start));
            const to = one.end ? x(Date.parse(one.end)) : x(end);
            return (
              <rect key={one.start} class="episode" x={from} y={TOP} width={Math.max(3, to - from)} height={height - TOP - BOTTOM}>
                <title>{one.label}</title>
              </rect>
            );
          })}
          {[high, high / 2, 0].map((value) => (
            <g key={value}>
              <line x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} class={value ? "grid" : "grid base"} />
              <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
                {figure(value)}
              </text>
            </g>
          ))}
          {Array.from({ length: ticks }, (_, index) => {
            const when = start + ((end - start) * index) / (ticks - 1);
            const anchor = index === 0 ? "start" : index === ticks - 1 ? "end" : "middle";
            return (
              <text key={index} x={x(when)} y={height - 4} text-anchor={anchor}>
                {tell.format(when)}
              </text>
            );
          })}
          {band ? pieces(band.upper).map(area) : null}
          {lines.map((one) => (
            <g key={one.name} class={`c-${one.colour}`}>
              {pieces(one.values).map((piece) =>
                piece.length > 1 ? (
                  <polyline key={piece[0]} class="stroke" points={piece.map((each) => point(one.values, each)).join(" ")} />
                ) : (
                  <circle key={piece[0]} class="dot" cx={x(moments[piece[0] as number] ?? 0)} cy={y(one.values[piece[0] as number] ?? 0)} r="2.500" />
                ),
              )}
              {at !== null && one.values[shown] != null ? (
                <circle class="dot" cx={x(moments[shown] ?? 0)} cy={y(one.values[shown] as number)} r="3.500" />
              ) : null}
            </g>
          ))}
          {at === null ? null : (
            <line x1={x(moments[shown] ?? 0)} x2={x(moments[shown] ?? 0)} y1={TOP} y2={height - BOTTOM} class="cursor" />
          )}
    </Plot>
  );

  function value(of: number | null | undefined): string {
    return of == null ? "–" : `${figure(of)} ${unit}`;
  }

  function told(): string {
    const each = lines.map((one) => `${one.name} ${value(one.values[shown])}`);
    return times[shown] ? `${moment(times[shown] as string)}: ${each.join(", ")}` : "nothing measured yet";
  }

  function point(values: (number | null)[], index: number): string {
    return `${x(moments[index] ?? 0)},${y(values[index] ?? 0)}`;
  }

  /** The indexes of what was measured, parted where it was not. */
  function pieces(values: (number | null)[]): number[][] {
    const found: number[][] = [];
    let before = Number.NEGATIVE_INFINITY;
    values.forEach((one, index) => {
      const when = moments[index] ?? 0;
      if (one !== null) {
        if (when - before > step * GAP) {
          found.push([]);
        }
        found.at(-1)?.push(index);
        before = when;
      }
    });
    return found;
  }

  function area(piece: number[]) {
    const up = piece.map((index) => point(band?.upper ?? [], index));
    const down = piece.map((index) => point(band?.lower ?? [], index)).reverse();
    return <polygon key={piece[0]} class="area c-band" points={[...up, ...down].join(" ")} />;
  }
}

function table(times: string[], lines: Line[], band: Band | undefined): string {
  const columns = band ? [...lines, { name: "lower", values: band.lower }, { name: "upper", values: band.upper }] : lines;
  const rows = times.map((time, index) => [time, ...columns.map((one) => one.values[index] ?? null)]);
  return csv([["time", ...columns.map((one) => one.name)], ...rows]);
}
