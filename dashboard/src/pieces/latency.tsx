// How long each of the latest attempts took, and which failed.
import { moment, percent } from "../format";
import type { Health } from "../outgoing";
import { csv } from "./keep";
import { Plot, usePlot } from "./plot";
import { toldOf } from "./strip";
import { milliseconds } from "./until";

const HEIGHT = 130;
const LEFT = 52;
const TOP = 8;
const BOTTOM = 22;
const LEAST_MS = 1;

export function Latency({ of, name }: { of: Health; name: string }) {
  const plot = usePlot();
  const { width, at } = plot;
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
  return (
    <Plot
      of={plot}
      kind="latency"
      heading={
        <h2>
          Attempts <span class="quiet">the latest {tries.length}</span>
        </h2>
      }
      title={`webhook ${name}`}
      table={() => table(of)}
      label="How long attempts took: one at a time by the arrow keys"
      height={HEIGHT}
      last={last}
      told={(number) => (tries[number] ? toldOf(tries[number]) : "none yet")}
      under={(from) => {
        const number = Math.floor((from - x(0)) / step);
        return number >= 0 && number <= last ? number : null;
      }}
      legend={
        shown ? (
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
        )
      }
    >
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
    </Plot>
  );
}

function table(of: Health): string {
  const rows = of.attempt_log.map((one) => [one.at, one.kind, String(one.is_success), one.status_code, one.response_ms, one.error]);
  return csv([["at", "kind", "is_success", "status_code", "response_ms", "error"], ...rows]);
}
