// The public API: JSON in its envelope, tags remembered so that what has not changed is not sent again.
import { credentials, enter, leave, refused } from "./session";

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

interface Kept {
  tag: string;
  data: unknown;
}

const MOST_KEPT = 300;
const kept = new Map<string, Kept>();
let renewing: Promise<boolean> | null = null;

/** Read a resource; the same object as before when it has not changed. */
export async function get<T>(path: string, stop?: AbortSignal): Promise<T> {
  const before = kept.get(path);
  const headers: Record<string, string> = before ? { "If-None-Match": before.tag } : {};
  const answer = await send(path, { headers, signal: stop ?? null });
  if (answer.status === 304 && before) {
    return before.data as T;
  }
  const data = await unpack<T>(answer);
  const tag = answer.headers.get("ETag");
  if (tag) {
    keep(path, { tag, data });
  }
  return data;
}

export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  return unpack<T>(await send(path, written("POST", body)));
}

export async function patch<T>(path: string, body: unknown): Promise<T> {
  return unpack<T>(await send(path, written("PATCH", body)));
}

/** Forget all that was read, when another person reads on. */
export function forget(): void {
  kept.clear();
}

export function authorization(): Record<string, string> {
  return credentials.value ? { Authorization: `Bearer ${credentials.value.token}` } : {};
}

/** Start a session; throws an ApiError whose details say when a second factor is wanted. */
export async function login(email: string, password: string, totp: string): Promise<void> {
  const body = totp ? { email, password, totp } : { email, password };
  const answer = await fetch("/api/v1/auth/login", written("POST", body));
  const told = await unpack<{ access_token: string; refresh_token: string }>(answer);
  enter({ token: told.access_token, refresh: told.refresh_token });
}

async function send(path: string, options: RequestInit, again = true): Promise<Response> {
  const headers = { Accept: "application/json", ...options.headers, ...authorization() };
  const answer = await fetch(`/api/v1${path}`, { ...options, headers, cache: "no-store" });
  if (answer.status !== 401) {
    return answer;
  }
  if (again && (await renew())) {
    return send(path, options, false);
  }
  const shown = credentials.value !== null;
  if (shown) {
    leave("What you showed counts no longer.");
  } else {
    refused.value ??= "";
  }
  return answer;
}

/** Get the next tokens of a login; many requests that were refused at once share one attempt. */
function renew(): Promise<boolean> {
  renewing ??= renewed().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renewed(): Promise<boolean> {
  const refresh = credentials.value?.refresh;
  if (!refresh) {
    return false;
  }
  const answer = await fetch("/api/v1/auth/refresh", written("POST", { refresh_token: refresh }));
  if (!answer.ok) {
    return false;
  }
  const told = await unpack<{ access_token: string; refresh_token: string }>(answer);
  enter({ token: told.access_token, refresh: told.refresh_token });
  return true;
}

function written(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

async function unpack<T>(answer: Response): Promise<T> {
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

function keep(path: string, entry: Kept): void {
  kept.delete(path);
  kept.set(path, entry);
  if (kept.size > MOST_KEPT) {
    kept.delete(kept.keys().next().value as string);
  }
}
