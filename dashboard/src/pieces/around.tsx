// How often alerts occurred around a deployment: what was known before it below, what is new on top.
import { count, hash, many, moment } from "../format";
import type { Impact } from "../outgoing";
import { csv } from "./keep";
import { Plot, usePlot } from "./plot";

const HEIGHT = 150;
const LEFT = 34;
const TOP = 22;
const BOTTOM = 22;
const TIME = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

export function Around({ of, at, name }: { of: Impact; at: string; name: string }) {
  const plot = usePlot();
  const { width, at: picked } = plot;
  const start = Date.parse(of.period.start);
  const span = Math.max(1, Date.parse(of.period.end) - start);
  const inner = width - LEFT - 4;
  const peak = Math.max(1, ...of.buckets.map((one) => one.known + one.new));
  const x = (text: string) => LEFT + ((Date.parse(text) - start) / span) * inner;
  const tall = (value: number) => (value / peak) * (HEIGHT - TOP - BOTTOM);
  const wide = Math.max(1.5, inner / of.buckets.length - 1.5);
  const floor = HEIGHT - BOTTOM;
  const last = of.buckets.length - 1;
  const shown = picked === null ? null : of.buckets[picked];
  const total = of.buckets.reduce((sum, one) => sum + one.known + one.new, 0);
  const others = of.deployments.filter((one) => one.id !== of.deployment_id);
  const here = x(at);

  const told = (number: number) => {
    const one = of.buckets[number];
    return one ? `${moment(one.start)}: ${count(one.known)} of known alerts, ${count(one.new)} of new ones` : "";
  };
  return (
    <Plot
      of={plot}
      kind="around"
      heading={<h2 id="rate">Alerts around it</h2>}
      title={`deployment ${name}`}
      table={() => csv([["start", "known", "new"], ...of.buckets.map((one) => [one.start, one.known, one.new])])}
      label={`${many(total, "occurrence")} around the deployment: a step at a time by the arrow keys`}
      height={HEIGHT}
      last={last}
      told={told}
      under={(from) => Math.floor(((from - LEFT) / inner) * of.buckets.length)}
      legend={
        <>
          <span class="day">{shown ? TIME.format(new Date(shown.start)) : "in all"}</span>
          <span>
            <i class="c-accent" />
            new since <b>{count(shown ? shown.new : of.buckets.reduce((sum, one) => sum + one.new, 0))}</b>
          </span>
          <span>
            <i class="c-low" />
            known before <b>{count(shown ? shown.known : of.buckets.reduce((sum, one) => sum + one.known, 0))}</b>
          </span>
          {others.length ? <span>{many(others.length, "other deployment")} dashed</span> : null}
        </>
      }
    >
          <rect class="after" x={here} y={TOP} width={Math.max(0, width - 4 - here)} height={floor - TOP} />
          <line x1={LEFT} x2={width - 4} y1={floor} y2={floor} class="grid base" />
          <line x1={LEFT} x2={width - 4} y1={TOP} y2={TOP} class="grid" />
          <text x={LEFT - 7} y={TOP + 4} text-anchor="end">
            {count(peak)}
          </text>
          <text x={LEFT - 7} y={floor + 4} text-anchor="end">
            0
          </text>
          {of.buckets.map((one, number) => (
            <g key={one.start} class={number === picked ? "picked" : ""}>
              {one.known ? (
                <rect class="area c-low" x={x(one.start)} width={wide} y={floor - tall(one.known)} height={tall(one.known)} />
              ) : null}
              {one.new ? (
                <rect
                  class="area c-accent"
                  x={x(one.start)}
                  width={wide}
                  y={floor - tall(one.known + one.new)}
                  height={Math.max(2, tall(one.new) - (one.known ? 1 : 0))}
                />
              ) : null}
            </g>
          ))}
          {others.map((one) => (
            <line key={one.id} class="marker other" x1={x(one.deployed_at)} x2={x(one.deployed_at)} y1={TOP} y2={floor}>
              <title>{`${one.release ?? hash(one.commit_hash ?? "")}, ${moment(one.deployed_at)}`}</title>
            </line>
          ))}
          <line class="marker" x1={here} x2={here} y1={TOP - 6} y2={floor} />
          <text class="flag" x={here} y={TOP - 10} text-anchor={here > width * 0.7 ? "end" : here < width * 0.3 ? "start" : "middle"}>
            {name}
          </text>
          {[of.period.start, of.period.end].map((text, number) => (
            <text key={text} x={number ? width - 4 : LEFT} y={HEIGHT - 5} text-anchor={number ? "end" : "start"}>
              {TIME.format(new Date(text))}
            </text>
          ))}
    </Plot>
  );
}
