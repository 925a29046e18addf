// How long something took, how long until it is, and reading again while something is about to happen.
import { useEffect, useState } from "preact/hooks";

import { moment, since } from "../format";

const SOON_MS = 3_000;

/** As many digits as tell something: `3.4 ms`, `38 ms`, `1.2 s`. */
export function milliseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : value >= 10 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

export function In({ at }: { at: string }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Date.parse(at) - now;
  return (
    <time dateTime={at} title={moment(at)}>
      {left < 1000 ? "now" : `in ${since(new Date(now).toISOString(), Date.parse(at))}`}
    </time>
  );
}

/** Read again every few seconds while `wanted`: attempts are no events of the feed. */
export function useSoon(wanted: boolean, read: () => void): void {
  useEffect(() => {
    if (!wanted) {
      return;
    }
    const timer = setInterval(() => document.hidden || read(), SOON_MS);
    return () => clearInterval(timer);
  }, [wanted, read]);
}
