// How often the page asks of its own accord: a feed that never rests may not use up what its reader may ask.
//
// Every reading is paid from a purse that fills at half of what an hour allows. Rounds that can wait leave the last
// of it to what is urgent, and when the service says that little is left, all rounds become rarer.
const FREE_MS = 4_000; // between two rounds that can wait
const MOST_MS = 300_000;
const ROUND = 4; // readings, at most, of a page that looks again
const PURSE = 80; // readings
const RESERVE = 30; // that are kept for what is urgent
const SHARE = 0.5;
const HOUR = 3600;

interface Standing {
  left: number;
  of: number;
  seconds: number;
}

let standing: Standing | null = null;
let purse = PURSE;
let filledAt = Date.now();
let perMs = 0; // 0: nothing is counted

/** Note what an answer says of the limits, and that it was asked for. */
export function paid(headers: Headers): void {
  const windows = [...(headers.get("RateLimit-Policy") ?? "").matchAll(/"([\w-]+)";q=(\d+);w=(\d+)/g)];
  const [, name, left] = /"([\w-]+)";r=(\d+)/.exec(headers.get("RateLimit") ?? "") ?? [];
  const least = windows.find((one) => one[1] === name);
  if (!least) {
    return; // of this nothing is counted
  }
  fill();
  standing = { left: Number(left), of: Number(least[2]), seconds: Number(least[3]) };
  const hour = windows.find((one) => Number(one[3]) === HOUR) ?? least;
  perMs = (SHARE * Number(hour[2])) / Number(hour[3]) / 1000;
  purse = Math.max(0, purse - 1);
}

/** Whether the service counts what is asked. */
export function isCounted(): boolean {
  return standing !== null;
}

/** How many milliseconds are to pass between two rounds: of what can wait, or of what is urgent. */
export function rest(urgent = false): number {
  if (!standing || !perMs) {
    return urgent ? 0 : FREE_MS;
  }
  fill();
  const share = standing.left / standing.of;
  const wanted = urgent ? ROUND : RESERVE + ROUND;
  const saving = purse >= wanted ? 0 : (wanted - purse) / perMs;
  const scarce = ((ROUND * standing.seconds * 1000) / standing.of) * (SHARE / Math.max(share, 0.001));
  const stretched = share > (urgent ? 0.1 : SHARE) ? 0 : scarce;
  return Math.min(MOST_MS, Math.max(urgent ? 0 : FREE_MS, saving, stretched));
}

function fill(): void {
  const now = Date.now();
  purse = Math.min(PURSE, purse + (now - filledAt) * perMs);
  filledAt = now;
}
