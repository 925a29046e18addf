// Who reads: a key, or the session of a login.
//
// The API takes credentials in `Authorization` alone and makes no cookie of them, so no other site can have a
// browser act in somebody's name. What is shown must then be held by the page: the access token in memory alone,
// the refresh token (good once; a copy that is used later ends the session) and a key in the tab's own
// `sessionStorage`, so that a reload need not ask again. Both go with the tab. Scripts of others cannot read
// them, since the page's policy lets none of them run.
import { signal } from "@preact/signals";

export interface Issued {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export interface Me {
  id: string;
  kind: string;
  name: string;
  email: string | null;
  role: string | null;
  scopes: string[];
  projects: string[] | null;
  tier: string;
  mfa_enabled: boolean | null;
  backup_codes_left: number | null;
  session_id: string | null;
  last_login_at: string | null;
}

interface Kept {
  key?: string;
  refresh?: string;
}

const PLACE = "hefesto.credentials";
const EARLY_MS = 60_000;
/** A tab that was duplicated holds the same refresh token: who gets its successor tells the other. */
const others = new BroadcastChannel("hefesto.session");

let kept: Kept = stored();
let access = "";
let until = 0;

/** What is shown to the service; another object when somebody else comes in, null for nobody. */
export const credentials = signal<{ kind: "key" | "login" } | null>(held());
/** Why credentials are asked for; null while none are wanted. */
export const refused = signal<string | null>(null);
/** Whether somebody is in the middle of something, which stays as it is until he is back. */
export const interrupted = signal(false);
/** Who it is that reads; null while nobody asked, or where nobody is asked. */
export const me = signal<Me | null>(null);
/** Rises when another person reads on: nothing of the former one's may stay. */
export const person = signal(0);

/** Whether the reader may do what asks for a scope; where nobody is asked, everybody may. */
export function may(scope: string): boolean {
  const scopes = me.value?.scopes;
  return credentials.value === null || !scopes || scopes.includes(scope) || scopes.includes("admin");
}

export function bearer(): string {
  return kept.key ?? access;
}

export function refreshToken(): string {
  return kept.refresh ?? "";
}

/** Whether the access token is not there, or will soon be worth nothing. */
export function isStale(): boolean {
  return kept.refresh !== undefined && Date.now() > until - EARLY_MS;
}

export function keep(shown: Issued | { key: string }): void {
  if ("key" in shown) {
    access = "";
    kept = { key: shown.key };
  } else {
    const was = kept.refresh;
    take(shown);
    if (was) {
      others.postMessage({ was, shown });
    }
  }
  sessionStorage.setItem(PLACE, JSON.stringify(kept));
}

/** Let somebody in; who comes back as the same person finds all as it was left. */
export function welcome(who: Me): void {
  const same = credentials.value !== null && (me.value?.id ?? who.id) === who.id;
  me.value = who;
  if (!same) {
    credentials.value = held();
    person.value++;
  }
  interrupted.value = false;
  refused.value = null;
}

/** What was shown counts no longer: ask again, over what is there. */
export function expire(reason: string): void {
  drop();
  interrupted.value = true;
  refused.value = reason;
}

export function leave(reason = "You have left."): void {
  drop();
  me.value = null;
  credentials.value = null;
  interrupted.value = false;
  refused.value = reason;
  person.value++;
}

/** Where nobody must be anybody: go on as nobody. */
export function goOnAsNobody(): void {
  leave();
  refused.value = null;
}

function drop(): void {
  kept = {};
  access = "";
  until = 0;
  sessionStorage.removeItem(PLACE);
}

function take(shown: Issued): void {
  kept = { refresh: shown.refresh_token };
  access = shown.access_token;
  until = Date.now() + shown.expires_in * 1000;
}

function held(): { kind: "key" | "login" } | null {
  return kept.key ? { kind: "key" } : kept.refresh ? { kind: "login" } : null;
}

function stored(): Kept {
  try {
    const read = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}") as Kept;
    if (typeof read?.key === "string") {
      return { key: read.key };
    }
    return typeof read?.refresh === "string" ? { refresh: read.refresh } : {};
  } catch {
    return {};
  }
}

others.onmessage = ({ data }: MessageEvent<{ was: string; shown: Issued }>) => {
  if (kept.refresh && data.was === kept.refresh) {
    take(data.shown);
    sessionStorage.setItem(PLACE, JSON.stringify(kept));
  }
};
