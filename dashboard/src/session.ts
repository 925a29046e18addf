// Who reads: a key or the tokens of a login, kept as long as the browser's tab.
import { signal } from "@preact/signals";

export interface Credentials {
  token: string;
  refresh?: string;
}

const PLACE = "hefesto.credentials";

function kept(): Credentials | null {
  try {
    const read: unknown = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    return read && typeof (read as Credentials).token === "string" ? (read as Credentials) : null;
  } catch {
    return null;
  }
}

export const credentials = signal<Credentials | null>(kept());
/** Why credentials are asked for; null while none are wanted. */
export const refused = signal<string | null>(null);

export function enter(shown: Credentials): void {
  sessionStorage.setItem(PLACE, JSON.stringify(shown));
  credentials.value = shown;
  refused.value = null;
}

export function leave(reason = "You have left."): void {
  sessionStorage.removeItem(PLACE);
  credentials.value = null;
  refused.value = reason;
}
