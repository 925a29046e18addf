// How long each of the latest attempts took, and which failed.
import { useEffect, useRef, useState } from "preact/hooks";

import { moment, percent } from "../format";
import type { Health } from "../outgoing";
import { picture, save } from "./chart";
import { toldOf } from "./strip";
import { milliseconds } from "./until";

const HEIGHT = 130;
const LEFT = 52;
const TOP = 8;
const BOTTOM = 22;
const LEAST_MS = 1;

export function Latency({ of, name }: { of: Health; name: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(240, entry.contentRect.width)));
    watch.observe(place.current as Element);
    return () => watch.disconnect();
  }, []);

  const tries = of.attempt_log;
  const last = tries.length - 1;
  const inner = width - LEFT - 4;
  const floor = HEIGHT - BOTTOM;
  const step = Math.min(16, inner / Math.max(1, tries.length));
  const most = Math.max(10, ...tries.map((one) => one.response_ms));
  // From a millisecond to 15 seconds: only powers of ten show both.
  const tall = (value: number) =>
    (Math.log10(Math.max(LEAST_MS, value) / LEAST_MS) / Math.log10(most / LEAST_MS)) * (floor - TOP);
  const x = (number: number) => width - 4 - (tries.length - number) * step;
  const marks = [1, 10, 100, 1000, 10_000].filter((one) => one <= most);
  const shown = at === null ? null : tries[at];
  const file = `hefesto-webhook-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;

  function move(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    if (by) {
      event.preventDefault();
      setAt((was) => Math.min(last, Math.max(0, (was ?? last) + by)));
    }
  }

  function pick(event: PointerEvent): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const number = Math.floor((event.clientX - box.left - x(0)) / step);
    setAt(number >= 0 && number <= last ? number : null);
  }

  return (
    <figure class="chart latency">
      <figcaption>
        <h2>
          Attempts <span class="quiet">the latest {tries.length}</span>
        </h2>
        <div class="keep">
          <button type="button" onClick={() => save(`${file}.csv`, "text/csv", table(of))}>
            CSV<span class="hidden"> of the attempts</span>
          </button>
          <button
            type="button"
            onClick={() => save(`${file}.svg`, "image/svg+xml", picture(place.current?.querySelector("svg")))}
          >
            SVG<span class="hidden"> of the attempts</span>
          </button>
        </div>
      </figcaption>
      <div
        ref={place}
        class="plot"
        tabIndex={0}
        role="slider"
        aria-label="How long attempts took: one at a time by the arrow keys"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={at ?? Math.max(0, last)}
        aria-valuetext={tries[at ?? last] ? toldOf(tries[at ?? last] as Health["attempt_log"][number]) : "none yet"}
        onKeyDown={move}
        onPointerMove={pick}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
      >
        <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
          {marks.map((one) => (
            <g key={one}>
              <line x1={LEFT} x2={width - 4} y1={floor - tall(one)} y2={floor - tall(one)} class={one > 1 ? "grid" : "grid base"} />
              <text x={LEFT - 7} y={floor - tall(one) + 4} text-anchor="end">
                {one < 1000 ? `${one} ms` : `${one / 1000} s`}
              </text>
            </g>
          ))}
          {tries.map((one, number) => {
            const high = Math.max(3, tall(one.response_ms));
            const middle = x(number) + step / 2;
            return (
              <g key={number} class={number === at ? "picked" : ""}>
                <rect
                  class={`area ${one.is_success ? (one.kind === "probe" ? "c-low" : "c-good") : "c-critical"}`}
                  x={x(number) + 1}
                  width={Math.max(1, step - 2)}
                  y={floor - high}
                  height={high}
                  rx="1"
                />
                {one.is_success ? null : (
                  <path class="cross" d={`M${middle - 3} ${floor + 5}l6 6m0-6l-6 6`} />
                )}
              </g>
            );
          })}
        </svg>
      </div>
      <p class="legend" aria-hidden="true">
        {shown ? (
          <span class="day">{toldOf(shown)}</span>
        ) : (
          <>
            <span>
              <i class="c-good" />
              told
            </span>
            <span>
              <i class="c-low" />
              probe
            </span>
            <span>
              <i class="c-critical" />× failed
            </span>
            <span>
              {of.success_rate === null ? "not tried" : `${percent(of.success_rate)} succeeded`}
              {of.p50_ms === null ? "" : `, half within ${milliseconds(of.p50_ms)}`}
            </span>
            {tries[0] ? <span>since {moment(tries[0].at)}</span> : null}
          </>
        )}
      </p>
    </figure>
  );
}

function table(of: Health): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = of.attempt_log.map((one) =>
    [one.at, one.kind, one.is_success, one.status_code ?? "", one.response_ms, cell(one.error ?? "")].join(","),
  );
  return ["at,kind,is_success,status_code,response_ms,error", ...rows, ""].join("\r\n");
}
