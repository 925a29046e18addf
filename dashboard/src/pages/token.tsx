// Asks who reads, where the service wants to know.
import { useState } from "preact/hooks";

import { ApiError, forget, login } from "../api";
import { enter, refused } from "../session";

export function TokenPage() {
  const [way, setWay] = useState<"key" | "login">("key");
  const [wrong, setWrong] = useState("");
  const [second, setSecond] = useState(false);
  const [busy, setBusy] = useState(false);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const read = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(read.get(name) ?? "").trim();
    setBusy(true);
    setWrong("");
    forget();
    try {
      await (way === "key" ? show(text("key")) : login(text("email"), String(read.get("password")), text("totp")));
    } catch (failure) {
      if (failure instanceof ApiError && failure.details["mfa_required"]) {
        setSecond(true);
      }
      setWrong(failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main id="main" class="door" tabIndex={-1}>
      <h1>Hefesto</h1>
      <p class="quiet">{refused.value || "This service wants to know who reads."}</p>
      <div class="ways" role="group" aria-label="Way in">
        <button type="button" aria-pressed={way === "key"} onClick={() => setWay("key")}>
          Key
        </button>
        <button type="button" aria-pressed={way === "login"} onClick={() => setWay("login")}>
          Login
        </button>
      </div>
      <form onSubmit={submit}>
        {way === "key" ? (
          <label>
            API key or access token
            <input name="key" type="password" autocomplete="off" spellcheck={false} required autoFocus />
          </label>
        ) : (
          <>
            <label>
              E-mail
              <input name="email" type="email" autocomplete="username" required autoFocus />
            </label>
            <label>
              Password
              <input name="password" type="password" autocomplete="current-password" required />
            </label>
            {second ? (
              <label>
                Code of the second factor
                <input name="totp" inputMode="numeric" autocomplete="one-time-code" required autoFocus />
              </label>
            ) : null}
          </>
        )}
        <button type="submit" class="primary" disabled={busy}>
          Go in
        </button>
        <p class="wrong" role="alert">
          {wrong}
        </p>
      </form>
      <p class="quiet">It is kept in this tab alone, and forgotten when you close it.</p>
    </main>
  );
}

/** Take a key if the service knows it. */
async function show(token: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/json" };
  const answer = await fetch("/api/v1/auth/me", { headers, cache: "no-store" });
  if (!answer.ok) {
    throw new ApiError(answer.status, "REFUSED", "The service does not know this key.");
  }
  enter({ token });
}
