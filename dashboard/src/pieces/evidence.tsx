// Evidence as bars: what speaks for a suspect reaches right, what speaks against it left.
import type { Evidence } from "../types";

const LEAST = 0.005;

export function EvidenceBars({ of }: { of: Evidence[] }) {
  const shown = of.filter((one) => Math.abs(one.contribution) >= LEAST);
  const most = Math.max(1, ...shown.map((one) => Math.abs(one.contribution)));
  if (shown.length === 0) {
    return <p class="quiet">Nothing speaks for it or against it.</p>;
  }
  return (
    <ul class="evidence" aria-label="Evidence, in logarithms of the odds">
      {shown.map((one) => {
        const share = `${(Math.abs(one.contribution) / most) * 50}%`;
        const pro = one.contribution > 0;
        return (
          <li key={one.feature}>
            <span class="feature">{one.feature}</span>
            <span class="axis" aria-hidden="true">
              <span class={pro ? "bar pro" : "bar con"} style={{ width: share }} />
            </span>
            <span class="figure">{`${pro ? "+" : "−"}${Math.abs(one.contribution).toFixed(2)}`}</span>
          </li>
        );
      })}
    </ul>
  );
}
