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
