// Tells the pages when to read again: by the service's event stream where there is one, else by the clock.
import { effect, signal } from "@preact/signals";

import { authorization } from "./api";
import { credentials, refused } from "./session";

const STREAM = "/api/v1/events/stream";
const POLL_MS = 2_000;
const STREAMED_POLL_MS = 30_000;
const RETRY_MS = 5_000;
const TOGETHER_MS = 150;
const REST_MS = 1_200;
const SILENCE_MS = 75_000; // the service says something every 30 s
const QUIET = new Set(["heartbeat", "snapshot", "metrics_update"]);

export type Link = "live" | "polling" | "offline";

/** Rises whenever something may have changed. */
export const pulse = signal(0);
/** Rises whenever numbers of a project have moved. */
export const measured = signal(0);
/** Rises whenever a measure has left its band. */
export const unusual = signal(0);
export const link = signal<Link>("polling");

let streamed = false;
let pausedUntil = 0;
let soon = 0;
let later = 0;
let lastId = "";

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
    const every = streamed ? STREAMED_POLL_MS : POLL_MS;
    if (document.hidden || now < pausedUntil || now - last < every || refused.value !== null) {
      return;
    }
    last = now;
    pulse.value++;
  }, 500);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      pulse.value++;
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
    pulse.value++; // for what happened before it listened
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
  for (const line of event.split(/\r?\n/)) {
    if (line.startsWith("id:")) {
      lastId = line.slice(3).trim();
    } else if (line.startsWith("event:")) {
      kind = line.slice(6).trim();
    } else if (line.startsWith("data:") && kind === "message") {
      kind = /"type":\s*"(\w+)"/.exec(line)?.[1] ?? kind;
    }
  }
  if (kind === "metrics_update") {
    measured.value++;
  } else if (kind === "anomaly_detected") {
    unusual.value++;
  }
  if (kind === "alert_updated" && !later) {
    // Occurrences are told of once a second at most: what came in the rest of it is seen by looking again.
    later = window.setTimeout(() => {
      later = 0;
      pulse.value++;
    }, REST_MS);
  }
  if (!QUIET.has(kind) && !soon) {
    soon = window.setTimeout(() => {
      soon = 0;
      pulse.value++;
    }, TOGETHER_MS);
  }
}
