// How something does, by a shape, a colour and a word: any one of them is enough.
import { many, moment, tail, words } from "../format";
import type { AlertAfter, Risk, Shipped } from "../outgoing";

const SHAPES: Record<string, string> = {
  good: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zM4.600 8.200l2.400 2.400 4.400-4.900-1.100-1L7 8.400 5.700 7.100z",
  worse: "M8 1.200 15.400 14.400H.600zM7.200 5.800v4.200h1.600V5.800zm0 5.200v1.600h1.600V11z",
  bad: "M5 1h6l4 4v6l-4 4H5l-4-4V5zm.400 3.300L4.300 5.400 6.900 8l-2.600 2.600 1.100 1.100L8 9.100l2.600 2.600 1.100-1.100L9.100 8l2.600-2.600-1.100-1.100L8 6.900z",
  off: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zM5.200 5v6h2V5zm3.600 0v6h2V5z",
  open: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zm0 1.600a5.400 5.400 0 1 0 0 10.800A5.400 5.400 0 0 0 8 2.600z",
};
const KINDS: Record<string, string> = {
  healthy: "good",
  delivered: "good",
  degraded: "worse",
  failing: "bad",
  dead: "bad",
  disabled: "off",
};

export function StateMark({ of, as, bare = false }: { of: string; as?: string; bare?: boolean }) {
  const kind = KINDS[of] ?? "open";
  return (
    <span class={`state ${kind}`} title={bare ? words(as ?? of) : undefined}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path fill-rule="evenodd" d={SHAPES[kind]} />
      </svg>
      <span class={bare ? "hidden" : ""}>{words(as ?? of)}</span>
    </span>
  );
}

/** How a deployment does by now; beneath it, what its latest verdict was where something is new since. */
export function VerdictMark({ of }: { of: Shipped }) {
  const { verdict, decided_at, new_alerts_since: since } = of.standing;
  const last = of.verdicts.at(-1);
  const is_watched = verdict === "watching";
  return (
    <>
      <StateMark of={verdict} as={is_watched ? (since ? "new alerts" : "being watched") : verdict} />
      {last && decided_at && (since || last.verdict !== verdict) ? (
        <span class="quiet since" title={`The verdict after ${last.after_hours} h, given ${moment(decided_at)}`}>
          {last.verdict} after {last.after_hours} h{since ? `, ${many(since, "new alert")} since` : ""}
        </span>
      ) : null}
    </>
  );
}

const STEPS = { unknown: 0, low: 1, medium: 2, high: 3 };

export function RiskMark({ of }: { of: Risk }) {
  return (
    <span class={`risk ${of.level}`} title={of.reasons.join(", ") || "Nothing speaks for a risk."}>
      <svg viewBox="0 0 22 8" aria-hidden="true">
        {[0, 1, 2].map((step) => (
          <rect key={step} x={step * 8} width="6" height="8" rx="1.500" class={step < STEPS[of.level] ? "on" : "off"} />
        ))}
      </svg>
      {of.level === "unknown" ? "risk unknown" : `${of.level} risk`}
    </span>
  );
}

export function nameOfAlert(one: AlertAfter): [string, string] {
  return tail(one.error_type || one.title);
}
