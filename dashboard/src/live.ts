// Tells the pages when to read again: by the service's event stream where there is one, else by the clock.
import { batch, effect, signal, type Signal } from "@preact/signals";

import { authorization } from "./api";
import { carry } from "./carried";
import { isCounted, rest } from "./pace";
import { credentials, refused } from "./session";

const STREAM = "/api/v1/events/stream";
const POLL_MS = 2_000;
const STREAMED_POLL_MS = 30_000;
const RETRY_MS = 5_000;
const TOGETHER_MS = 150;
const REPEATS_MS = 1_200; // an alert that occurs again is told of once a second at most
const NEWS_MS = 500; // between two rounds of what is urgent
const SILENCE_MS = 75_000; // the service says something every 30 s
/** What a path shows, by how it begins: what moves it besides the clock. */
const CONCERNS: [RegExp, (found: RegExpExecArray) => string[]][] = [
  [/^\/alerts\/([\w-]+)/, ([, id]) => [`alert ${id}`]],
  [/^\/alerts\?.*\bstatus=acknowledged\b/, () => ["decided"]],
  [/^\/alerts\b/, () => ["alerts"]],
  [/^\/(findings|metrics|deployments)\b/, () => ["analyses"]],
  [/^\/webhooks\b/, () => ["alerts", "analyses", "webhooks"]],
];

export type Link = "live" | "polling" | "offline";

/** Rises whenever all is to be read again: by the clock, and when the page is seen again. */
export const pulse = signal(0);
/** Rises whenever numbers of a project have moved. */
export const measured = signal(0);
/** Rises whenever a measure has left its band. */
export const unusual = signal(0);
export const link = signal<Link>("polling");

let streamed = false;
let pausedUntil = 0;
let lastId = "";
/** Rises when the feed has told of a thing that some path shows. */
const told = new Map<string, Signal<number>>();
const waiting = new Set<string>();
const repeated = new Set<string>();
let settling = 0;
let timer = 0;
let timerAt = 0;
let roundAt = 0;
let wanting = false;

/** Rises whenever what a path shows may have changed; reading it subscribes. */
export function beatOf(path: string): number {
  for (const [begins, named] of CONCERNS) {
    const found = begins.exec(path);
    if (found) {
      return named(found).reduce((sum, name) => sum + toldOf(name).value, pulse.value);
    }
  }
  return pulse.value;
}

function toldOf(name: string): Signal<number> {
  const known = told.get(name) ?? signal(0);
  told.set(name, known);
  return known;
}

/** Have what shows these things read again: soon when it is urgent, else when the pace allows. */
function announce(names: string[], urgent: boolean): void {
  names.forEach((name) => waiting.add(name));
  const now = Date.now();
  const next = roundAt + (urgent ? Math.max(NEWS_MS, rest(true)) : rest());
  const at = Math.max(now + TOGETHER_MS, next, pausedUntil);
  if (timer && timerAt <= at) {
    return;
  }
  clearTimeout(timer);
  timerAt = at;
  timer = window.setTimeout(round, at - now);
}

function round(): void {
  timer = 0;
  if (document.hidden) {
    wanting = true; // all is read when somebody looks again
    waiting.clear();
    return;
  }
  if (Date.now() < pausedUntil) {
    announce([], false);
    return;
  }
  roundAt = Date.now();
  const names = [...waiting];
  waiting.clear();
  batch(() => names.forEach((name) => toldOf(name).value++));
}

/** All is read again, so nothing waits. */
function beat(): void {
  if (document.hidden) {
    wanting = true;
    return;
  }
  wanting = false;
  waiting.clear();
  roundAt = Date.now();
  pulse.value++;
}

/** Hold back until the service has time for us again. */
export function pause(seconds: number): void {
  pausedUntil = Math.max(pausedUntil, Date.now() + seconds * 1000);
}

/** Whether the service has asked to be left alone for a while. */
export function isPaused(): boolean {
  return Date.now() < pausedUntil;
}

/** Note how the latest request went. */
export function heard(wellDone: boolean): void {
  link.value = !wellDone ? "offline" : streamed ? "live" : "polling";
}

export function start(): void {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    const every = Math.max(streamed ? STREAMED_POLL_MS : POLL_MS, streamed || !isCounted() ? 0 : rest());
    if (document.hidden || now < pausedUntil || now - last < every || refused.value !== null) {
      return;
    }
    last = now;
    beat();
  }, 500);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (wanting || !streamed)) {
      beat();
    }
  });
  void follow();
}

async function follow(): Promise<void> {
  for (;;) {
    if (refused.value !== null) {
      await signedIn();
    }
    const there = await listen().catch(() => true);
    streamed = false;
    if (!there) {
      return; // this service has no stream: the clock it is
    }
    heard(link.value !== "offline");
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

function signedIn(): Promise<void> {
  return new Promise((done) => {
    const end = effect(() => {
      if (refused.value === null) {
        queueMicrotask(() => {
          end();
          done();
        });
      }
    });
  });
}

/** Read the stream to its end; false when there is none. */
async function listen(): Promise<boolean> {
  const stop = new AbortController();
  const shown = credentials.value;
  const end = effect(() => {
    if (credentials.value !== shown) {
      stop.abort();
    }
  });
  let silence = setTimeout(() => stop.abort(), SILENCE_MS);
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream", ...(await authorization()) };
    if (lastId) {
      headers["Last-Event-ID"] = lastId;
    }
    const answer = await fetch(STREAM, { headers, signal: stop.signal, cache: "no-store" });
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!answer.ok || !answer.body || !kind.startsWith("text/event-stream")) {
      return ![403, 404, 405, 406, 501].includes(answer.status);
    }
    streamed = true;
    heard(true);
    beat(); // for what happened before it listened
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return true;
      }
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE_MS);
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      events.forEach(take);
    }
  } finally {
    clearTimeout(silence);
    end();
  }
}

function take(event: string): void {
  let kind = "message";
  let text = "";
  for (const line of event.split(/\r?\n/)) {
    if (line.startsWith("id:")) {
      lastId = line.slice(3).trim();
    } else if (line.startsWith("event:")) {
      kind = line.slice(6).trim();
    } else if (line.startsWith("data:")) {
      text = line.slice(5);
    }
  }
  if (kind === "metrics_update") {
    measured.value++;
  } else if (kind === "anomaly_detected") {
    unusual.value++;
  } else if (kind === "analysis_progress") {
    announce(["analyses"], false);
  } else if (kind === "webhook_status_changed") {
    announce(["webhooks"], false);
  } else if (kind === "alert_new" || kind === "alert_updated") {
    ofAlert(text);
  }
}

/** Show what an event carries of an alert, and have read what it does not. */
function ofAlert(text: string): void {
  const data = (JSON.parse(text) as { data: Record<string, unknown> }).data;
  const isRepeat = data["event"] === "alert.repeated";
  carry(data);
  const names = ["alerts", `alert ${String(data["id"])}`];
  settle(names);
  if (!isRepeat) {
    announce(data["event"] === "alert.created" ? names : [...names, "decided"], true);
  }
}

/** Have what alerts concern read once they rest: of repeats within a second of what was told nothing is. */
function settle(names: string[]): void {
  names.forEach((name) => repeated.add(name));
  clearTimeout(settling);
  settling = window.setTimeout(() => {
    announce([...repeated], false);
    repeated.clear();
  }, REPEATS_MS);
}
