// Numbers, times and names as people read them.

const COUNT = new Intl.NumberFormat(undefined);
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const STEPS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

export const count = (value: number): string => COUNT.format(value);
export const short = (value: number): string => SHORT.format(value);
/** A count of things: `1 commit`, `3 commits`. */
export const many = (value: number, one: string, more = `${one}s`): string =>
  `${COUNT.format(value)} ${value === 1 ? one : more}`;
export const percent = (share: number): string =>
  share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`;
export const moment = (text: string): string => WHEN.format(new Date(text));
export const words = (name: string): string => name.replaceAll("_", " ");
export const hash = (text: string): string => text.slice(0, 8);

/** How long since, in one unit: `12 min`. */
export function since(text: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(text)) / 1000);
  for (const [size, unit] of STEPS) {
    if (seconds >= size) {
      return `${Math.floor(seconds / size)} ${unit}`;
    }
  }
  return "0 s";
}

/** A dotted name as what it is within, and itself. */
export function tail(name: string): [string, string] {
  const at = name.lastIndexOf(".");
  return at > 0 && at < name.length - 1 && !/\s/.test(name) ? [name.slice(0, at + 1), name.slice(at + 1)] : ["", name];
}

/** What an alert is called: its error, else its title. */
export function nameOf(alert: { error_type: string | null; title: string; alert_id: string }): string {
  return alert.error_type || alert.title || alert.alert_id;
}

const FINE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const SIZES = ["B", "KB", "MB", "GB", "TB"];

/** A measure with as many digits as one reads: `0.25`, `12.3`, `1.2K`. */
export const figure = (value: number): string => (Math.abs(value) >= 1000 ? short(value) : FINE.format(value));
/** A time that something took: `3.2 ms`, `1.25 s`. */
export const took = (milliseconds: number | null): string =>
  milliseconds === null ? "–" : milliseconds >= 1000 ? `${FINE.format(milliseconds / 1000)} s` : `${FINE.format(milliseconds)} ms`;

/** A size in bytes: `12.3 MB`. */
export function bytes(value: number): string {
  const step = Math.min(SIZES.length - 1, Math.max(0, Math.floor(Math.log(Math.max(1, value)) / Math.log(1024))));
  return `${FINE.format(value / 1024 ** step)} ${SIZES[step]}`;
}

/** How long something lasts, in one unit: `90 s` is `1 min`. */
export function lasting(seconds: number): string {
  for (const [size, unit] of STEPS) {
    if (seconds >= size) {
      return `${Math.round(seconds / size)} ${unit}`;
    }
  }
  return `${FINE.format(seconds)} s`;
}
