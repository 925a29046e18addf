// What was counted day by day, as lines, stacks or two against each other.
import { short } from "../format";
import { csv } from "./keep";
import { Plot, usePlot } from "./plot";

export interface Series {
  name: string;
  /** The part of the class `c-…` that gives the colour. */
  colour: string;
  /** Null where nothing is known. */
  values: (number | null)[];
}

interface Drawn {
  title: string;
  days: string[];
  series: Series[];
  kind: "line" | "stack" | "mirror";
  /** The top of the axis, where it is known. */
  top?: number;
}

const HEIGHT = 200;
const LEFT = 40;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export function Chart({ title, days, series, kind, top }: Drawn) {
  const plot = usePlot();
  const { width, at } = plot;
  const many = days.length;
  const last = many - 1;
  const sum = (day: number) => series.reduce((total, one) => total + (one.values[day] ?? 0), 0);
  const peak = Math.max(1, ...days.map((_, day) => heightOf(day)));
  const high = top ?? nice(peak);
  const low = kind === "mirror" ? -high : 0;
  const inner = width - LEFT - RIGHT;
  const x = (day: number) => LEFT + (last ? (day / last) * inner : inner / 2);
  const y = (value: number) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const marks = kind === "mirror" ? [high, 0, -high] : [high, high / 2, 0];
  const every = Math.max(1, Math.ceil(many / Math.max(2, Math.floor(inner / 90))));

  function heightOf(day: number): number {
    return kind === "stack" ? sum(day) : Math.max(...series.map((one) => one.values[day] ?? 0));
  }

  const day = days[at ?? last];
  return (
    <Plot
      of={plot}
      heading={<h2>{title}</h2>}
      title={title}
      table={() => csv([["date", ...series.map((one) => one.name)], ...days.map((one, index) => [one, ...series.map((each) => each.values[index] ?? null)])])}
      label={`${title}: a day at a time by the arrow keys`}
      height={HEIGHT}
      last={last}
      told={told}
      under={(from) => Math.round(((from - LEFT) / inner) * last)}
      legend={
        <>
          <span class="day">{day ? FULL.format(new Date(day)) : ""}</span>
          {series.map((one) => (
            <span key={one.name}>
              <i class={`c-${one.colour}`} />
              {one.name} <b>{one.values[at ?? last] == null ? "–" : short(one.values[at ?? last] as number)}</b>
            </span>
          ))}
        </>
      }
    >
          {marks.map((value) => (
            <g key={value}>
              <line x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} class={value ? "grid" : "grid base"} />
              <text x={LEFT - 8} y={y(value) + 4} text-anchor="end">
                {short(Math.abs(value))}
              </text>
            </g>
          ))}
          {days.map((day, index) =>
            (last - index) % every === 0 ? (
              <text key={day} x={x(index)} y={HEIGHT - 4} text-anchor={index === last && many > 1 ? "end" : index ? "middle" : "start"}>
                {DAY.format(new Date(day))}
              </text>
            ) : null,
          )}
          {kind === "stack" ? stacked() : kind === "mirror" ? mirrored() : lines()}
          {at === null ? null : <line x1={x(at)} x2={x(at)} y1={TOP} y2={HEIGHT - BOTTOM} class="cursor" />}
    </Plot>
  );

  function told(day: number): string {
    const each = series.map((one) => `${one.name} ${one.values[day] ?? "not known"}`);
    return `${days[day] ?? ""}: ${each.join(", ")}`;
  }

  function lines() {
    return series.map((one) => {
      const shown = one.values[at ?? last];
      return (
        <g key={one.name} class={`c-${one.colour}`}>
          {runs(one.values).map((run) => {
            const points = run.map((index) => `${x(index)},${y(one.values[index] as number)}`).join(" ");
            const [first, end] = [run[0] as number, run.at(-1) as number];
            return (
              <g key={first}>
                {run.length > 1 ? <polygon class="under" points={`${x(first)},${y(0)} ${points} ${x(end)},${y(0)}`} /> : null}
                <polyline class="stroke" points={points} />
              </g>
            );
          })}
          {shown == null ? null : <circle class="dot" cx={x(at ?? last)} cy={y(shown)} r="3.500" />}
        </g>
      );
    });
  }

  function stacked() {
    const floor = days.map(() => 0);
    return series.map((one) => {
      const below = [...floor];
      one.values.forEach((value, day) => {
        floor[day] = (floor[day] ?? 0) + (value ?? 0);
      });
      const up = floor.map((value, day) => `${x(day)},${y(value)}`);
      const down = below.map((value, day) => `${x(day)},${y(value)}`).reverse();
      return <polygon key={one.name} class={`area c-${one.colour}`} points={[...up, ...down].join(" ")} />;
    });
  }

  function mirrored() {
    const wide = Math.max(1.5, Math.min(14, (inner / Math.max(1, many)) * 0.7));
    return series.map((one, index) => (
      <g key={one.name} class={`c-${one.colour}`}>
        {one.values.map((value, day) =>
          value ? (
            <rect
              key={day}
              class="area"
              x={Math.min(width - RIGHT - wide, Math.max(LEFT, x(day) - wide / 2))}
              width={wide}
              y={index ? y(0) : y(value)}
              height={Math.max(1, Math.abs(y(value) - y(0)))}
            />
          ) : null,
        )}
      </g>
    ));
  }
}

/** The next round number. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** The indexes of what is known, parted where it is not. */
function runs(values: (number | null)[]): number[][] {
  const found: number[][] = [];
  values.forEach((one, index) => {
    if (one !== null) {
      if (index === 0 || values[index - 1] === null) {
        found.push([]);
      }
      found.at(-1)?.push(index);
    }
  });
  return found;
}
