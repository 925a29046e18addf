// The latest attempts to reach a webhook, the newest right: what succeeded stands tall, what failed is crossed.
import { many, moment } from "../format";
import type { Health } from "../outgoing";

type Tried = Health["attempt_log"][number];

const STEP = 9;
const HEIGHT = 22;
const KINDS = { delivery: "delivery", probe: "probe", test: "test" };

export function toldOf(one: Tried): string {
  const how = one.is_success ? "succeeded" : (one.error ?? "failed");
  return `${moment(one.at)}: ${KINDS[one.kind]} ${one.status_code ?? ""} ${how}, ${Math.round(one.response_ms)} ms`;
}

export function Strip({ of, most = 40 }: { of: Tried[]; most?: number }) {
  const shown = of.slice(-most);
  const good = shown.filter((one) => one.is_success).length;
  if (shown.length === 0) {
    return <span class="quiet strip">not tried yet</span>;
  }
  const width = most * STEP;
  const from = (most - shown.length) * STEP;
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${width} ${HEIGHT}`}
      role="img"
      aria-label={`Of the latest ${many(shown.length, "attempt")} ${good} succeeded`}
    >
      <line x1="0" x2={width} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {shown.map((one, number) => (
        <Mark key={`${one.at}${number}`} of={one} x={from + number * STEP} />
      ))}
    </svg>
  );
}

/** Tall: a delivery or test that succeeded. Short: a probe that did. Crossed: what failed. */
function Mark({ of, x }: { of: Tried; x: number }) {
  const title = <title>{toldOf(of)}</title>;
  if (!of.is_success) {
    return (
      <g class="failed">
        {title}
        <rect class="area" x={x} y="0" width={STEP} height={HEIGHT} />
        <path d={`M${x + 1} 7.500l6 6m0-6l-6 6`} />
      </g>
    );
  }
  const tall = of.kind === "probe" ? 7 : 17;
  return (
    <g class={`succeeded ${of.kind}`}>
      {title}
      <rect class="area" x={x} y="0" width={STEP} height={HEIGHT} />
      <rect x={x + 1.5} y={HEIGHT - 2 - tall} width="5" height={tall} rx="1.500" />
    </g>
  );
}
