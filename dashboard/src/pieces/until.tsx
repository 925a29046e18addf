// How long until something, and reading again while something is about to happen.
import { useEffect, useState } from "preact/hooks";

import { moment, since } from "../format";

const SOON_MS = 3_000;

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
