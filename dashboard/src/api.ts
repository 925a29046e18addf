// The public API: JSON in its envelope, tags remembered so that what has not changed is not sent again.
import { effect } from "@preact/signals";

import { paid } from "./pace";
import {
  bearer,
  credentials,
  expire,
  isStale,
  keep,
  leave,
  me,
  person,
  refreshToken,
  refused,
  welcome,
  type Issued,
  type Me,
} from "./session";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

/** How one gets in here. */
export interface Methods {
  required: boolean;
  oidc: { name: string; login_url: string } | null;
}

interface Kept {
  tag: string;
  data: unknown;
}

const MOST_KEPT = 300;
const AUTH = "/api/v1/auth";
const ENDED = "Your session has ended. Log in to go on: what you have typed is still there.";
const tagged = new Map<string, Kept>();
let renewing: Promise<boolean> | null = null;
let methods: Promise<Methods> | null = null;

/** Read a resource; the same object as before when it has not changed. */
export async function get<T>(path: string, stop?: AbortSignal): Promise<T> {
  const before = tagged.get(path);
  const headers: Record<string, string> = before ? { "If-None-Match": before.tag } : {};
  const answer = await send(path, { headers, signal: stop ?? null });
  if (answer.status === 304 && before) {
    return before.data as T;
  }
  const data = await unpack<T>(answer);
  const tag = answer.headers.get("ETag");
  if (tag) {
    remember(path, { tag, data });
  }
  return data;
}

export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  return unpack<T>(await send(path, written("POST", body)));
}

export async function patch<T>(path: string, body: unknown): Promise<T> {
  return unpack<T>(await send(path, written("PATCH", body)));
}

export async function remove<T = null>(path: string): Promise<T> {
  return unpack<T>(await send(path, { method: "DELETE" }));
}

/** Read what is no JSON, such as an export. */
export async function download(path: string): Promise<Blob> {
  const answer = await send(path, { headers: { Accept: "*/*" } });
  return answer.ok ? answer.blob() : unpack(answer);
}

/** What one person has read is not for the next. */
effect(() => {
  if (person.value) {
    tagged.clear();
  }
});

/** What shows who reads; an access token that is about to end is renewed before. */
export async function authorization(): Promise<Record<string, string>> {
  if (isStale()) {
    await renew();
  }
  const shown = bearer();
  return shown ? { Authorization: `Bearer ${shown}` } : {};
}

/** Start a session; throws an ApiError whose details say when a second factor is wanted. */
export async function login(email: string, password: string, totp: string): Promise<void> {
  const body = totp ? { email, password, totp } : { email, password };
  keep(await unpack<Issued>(await fetch(`${AUTH}/login`, written("POST", body))));
  await identify();
}

/** Take over the session that a provider's word has just begun in this browser. */
export async function handedOver(): Promise<void> {
  keep(await unpack<Issued>(await fetch(`${AUTH}/oidc/session`, written("POST", {}))));
  await identify();
}

/** Come in with an API key or an access token, if the service knows it. */
export async function show(key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}`, Accept: "application/json" };
  const who = await unpack<Me>(await fetch(`${AUTH}/me`, { headers, cache: "no-store" }));
  keep({ key });
  welcome(who);
}

/** Ask who it is that has come in. */
export async function identify(): Promise<void> {
  const answer = await fetch(`${AUTH}/me`, { headers: await authorization(), cache: "no-store" });
  if (answer.status !== 401) {
    welcome(await unpack<Me>(answer));
  } else if (isDead(answer)) {
    ended();
  }
}

/** End the session here and at the service. */
export async function logout(): Promise<void> {
  const refresh = refreshToken();
  if (refresh) {
    await fetch(`${AUTH}/logout`, written("POST", { refresh_token: refresh })).catch(() => null);
  }
  leave();
}

export function waysIn(): Promise<Methods> {
  methods ??= fetch(`${AUTH}/methods`, { cache: "no-store" })
    .then((answer) => unpack<Methods>(answer))
    .catch((failure: unknown) => {
      methods = null;
      throw failure;
    });
  return methods;
}

async function send(path: string, options: RequestInit, again = true): Promise<Response> {
  const headers = { Accept: "application/json", ...options.headers, ...(await authorization()) };
  const shown = bearer();
  const answer = await fetch(`/api/v1${path}`, { ...options, headers, cache: "no-store" });
  paid(answer.headers);
  if (answer.status !== 401 || !(shown ? isDead(answer) : await isClosed())) {
    return answer; // all is well, or this request was refused for reasons of its own, as a wrong password is
  }
  const renewed = again && (shown !== bearer() || (await renew()));
  if (renewed && bearer()) {
    return send(path, options, false);
  }
  ended();
  return (await isBack()) ? send(path, options, false) : answer;
}

/** Whether an answer says that what was shown is worth nothing (any more). */
function isDead(answer: Response): boolean {
  return answer.headers.get("WWW-Authenticate")?.includes("invalid_token") ?? false;
}

async function isClosed(): Promise<boolean> {
  return (await waysIn()).required;
}

function ended(): void {
  if (refused.value !== null) {
    return;
  }
  if (me.value) {
    expire(credentials.value?.kind === "key" ? "The key counts no longer." : ENDED);
  } else {
    const shown = credentials.value !== null;
    leave(shown ? "Your session has ended." : "");
  }
}

/** Wait until somebody is in; false when it is somebody else than before. */
function isBack(): Promise<boolean> {
  const was = person.value;
  return new Promise((done) => {
    const end = effect(() => {
      const same = person.value === was;
      if (refused.value === null || !same) {
        queueMicrotask(() => {
          end();
          done(same);
        });
      }
    });
  });
}

/** Get the next tokens of a login; many requests that need them at once share one attempt. */
function renew(): Promise<boolean> {
  renewing ??= renewed().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renewed(): Promise<boolean> {
  const refresh = refreshToken();
  if (!refresh) {
    return false;
  }
  const answer = await fetch(`${AUTH}/refresh`, written("POST", { refresh_token: refresh }));
  if (answer.status === 401 || answer.status === 422) {
    if (refreshToken() !== refresh) {
      return true; // another tab was faster and told us what it got
    }
    ended();
    return false;
  }
  keep(await unpack<Issued>(answer));
  return true;
}

function written(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

async function unpack<T>(answer: Response): Promise<T> {
  if (answer.status === 204) {
    return null as T;
  }
  const body = (await answer.json().catch(() => null)) as {
    data?: T;
    error?: { code: string; message: string; details?: Record<string, unknown> } | null;
  } | null;
  if (answer.ok && body) {
    return body.data as T;
  }
  const error = body?.error;
  throw new ApiError(
    answer.status,
    error?.code ?? "NO_ANSWER",
    error?.message ?? `The service answered ${answer.status}.`,
    error?.details,
    Number(answer.headers.get("Retry-After")) || 0,
  );
}

function remember(path: string, entry: Kept): void {
  tagged.delete(path);
  tagged.set(path, entry);
  if (tagged.size > MOST_KEPT) {
    tagged.delete(tagged.keys().next().value as string);
  }
}
