// Plots as SVG: drawn to the width there is, read by keyboard and pointer, saved as CSV and SVG.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { short } from "../format";

export interface Series {
  name: string;
  /** The part of the class `c-…` that gives the colour. */
  colour: string;
  values: number[];
}

interface Drawn {
  title: string;
  days: string[];
  series: Series[];
  kind: "line" | "stack" | "mirror";
  /** The top of the axis, where it is known. */
  top?: number;
  children?: ComponentChildren;
}

const HEIGHT = 200;
const LEFT = 40;
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 22;
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export function Chart({ title, days, series, kind, top, children }: Drawn) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(240, entry.contentRect.width)));
    watch.observe(place.current as Element);
    return () => watch.disconnect();
  }, []);

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

  function pick(event: PointerEvent): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const day = Math.round(((event.clientX - box.left - LEFT) / inner) * last);
    setAt(Math.min(last, Math.max(0, day || 0)));
  }

  function step(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -many, End: many }[event.key];
    if (by) {
      event.preventDefault();
      setAt((was) => Math.min(last, Math.max(0, (was ?? last) + by)));
    }
  }

  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <div class="keep">
          <button type="button" onClick={() => save(`${slug(title)}.csv`, "text/csv", table(days, series))}>
            CSV<span class="hidden"> of {title}</span>
          </button>
          <button
            type="button"
            onClick={() => save(`${slug(title)}.svg`, "image/svg+xml", picture(place.current?.querySelector("svg")))}
          >
            SVG<span class="hidden"> of {title}</span>
          </button>
        </div>
      </figcaption>
      {children}
      <div
        ref={place}
        class="plot"
        tabIndex={0}
        role="slider"
        aria-label={`${title}: a day at a time by the arrow keys`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={at ?? last}
        aria-valuetext={told(at ?? last)}
        onKeyDown={step}
        onPointerMove={pick}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
      >
        <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
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
        </svg>
      </div>
      <p class="legend" aria-hidden="true">
        <span class="day">{days[at ?? last] ? FULL.format(new Date(days[at ?? last] as string)) : ""}</span>
        {series.map((one) => (
          <span key={one.name}>
            <i class={`c-${one.colour}`} />
            {one.name} <b>{short(one.values[at ?? last] ?? 0)}</b>
          </span>
        ))}
      </p>
    </figure>
  );

  function told(day: number): string {
    const each = series.map((one) => `${one.name} ${one.values[day] ?? 0}`);
    return `${days[day] ?? ""}: ${each.join(", ")}`;
  }

  function lines() {
    return series.map((one) => {
      const points = one.values.map((value, day) => `${x(day)},${y(value)}`).join(" ");
      const end = one.values[last] ?? 0;
      return (
        <g key={one.name} class={`c-${one.colour}`}>
          {many > 1 ? (
            <polygon class="under" points={`${x(0)},${y(0)} ${points} ${x(last)},${y(0)}`} />
          ) : null}
          <polyline class="stroke" points={points} />
          <circle class="dot" cx={x(at ?? last)} cy={y(at === null ? end : (one.values[at] ?? 0))} r="3.500" />
        </g>
      );
    });
  }

  function stacked() {
    const floor = days.map(() => 0);
    return series.map((one) => {
      const below = [...floor];
      one.values.forEach((value, day) => {
        floor[day] = (floor[day] ?? 0) + value;
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

export function slug(title: string): string {
  return `hefesto-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
}

function table(days: string[], series: Series[]): string {
  const rows = days.map((day, index) => [day, ...series.map((one) => one.values[index] ?? 0)].join(","));
  return [["date", ...series.map((one) => one.name)].join(","), ...rows, ""].join("\r\n");
}

/** The drawing with its colours written into it, as it looks now. */
export function picture(drawn: SVGElement | null | undefined): string {
  if (!drawn) {
    return "";
  }
  const copy = drawn.cloneNode(true) as SVGElement;
  const originals = drawn.querySelectorAll("*");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.querySelectorAll("*").forEach((each, index) => {
    const style = getComputedStyle(originals[index] as Element);
    for (const name of ["fill", "stroke", "stroke-width", "opacity", "font-size", "font-family"]) {
      each.setAttribute(name, style.getPropertyValue(name));
    }
    each.removeAttribute("class");
  });
  return copy.outerHTML;
}

export function save(name: string, kind: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.target = "_self";
  link.click();
  URL.revokeObjectURL(link.href);
}
