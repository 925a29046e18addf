// The door: who reads logs in, comes from a provider, or shows a key. It stands alone, or before what somebody
// was doing when his session ended.
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError, login, logout, show, waysIn, type Methods } from "../api";
import { goOnAsNobody, interrupted, me, refused } from "../session";
import "./token.css";

type Way = "login" | "key";

export function TokenPage() {
  return (
    <main id="main" class="door" tabIndex={-1}>
      <h1>Hefesto</h1>
      <p class="quiet">{refused.value || "This service wants to know who reads."}</p>
      <WaysIn />
    </main>
  );
}

/** The door before a page that is kept as it is: nothing that was typed is lost. */
export function Interruption() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = refused.value !== null && interrupted.value;
  useEffect(() => {
    if (open) {
      dialog.current?.showModal();
    } else {
      dialog.current?.close();
    }
  }, [open]);
  return (
    <dialog ref={dialog} class="door again" aria-labelledby="again" onCancel={(event) => event.preventDefault()}>
      {open ? (
        <>
          <h2 id="again">Who reads?</h2>
          <p class="quiet">{refused.value}</p>
          <WaysIn email={me.value?.email ?? ""} />
          <button type="button" class="plain" onClick={() => void logout()}>
            Leave instead
          </button>
        </>
      ) : null}
    </dialog>
  );
}

function WaysIn({ email = "" }: { email?: string }) {
  const [way, setWay] = useState<Way>(me.value && me.value.kind !== "user" ? "key" : "login");
  const [wrong, setWrong] = useState("");
  const [second, setSecond] = useState(false);
  const [backup, setBackup] = useState(false);
  const [busy, setBusy] = useState(false);
  const [methods, setMethods] = useState<Methods | null>(null);
  useEffect(() => {
    waysIn().then(setMethods, () => null);
  }, []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const read = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(read.get(name) ?? "").trim();
    setBusy(true);
    setWrong("");
    try {
      await (way === "key" ? show(text("key")) : login(text("email"), String(read.get("password")), text("totp")));
    } catch (failure) {
      const asked = failure instanceof ApiError && failure.details["mfa_required"] && !second;
      if (asked) {
        setSecond(true);
      }
      setWrong(asked ? "" : said(failure, way));
    } finally {
      setBusy(false);
    }
  }

  const back = `?next=${encodeURIComponent(location.pathname + location.search)}`;
  return (
    <>
      <div class="ways" role="group" aria-label="Way in">
        <button type="button" aria-pressed={way === "login"} onClick={() => setWay("login")}>
          Login
        </button>
        <button type="button" aria-pressed={way === "key"} onClick={() => setWay("key")}>
          Key
        </button>
      </div>
      <form key={way} onSubmit={submit}>
        {way === "key" ? (
          <label>
            API key or access token
            <input name="key" type="password" autocomplete="off" spellcheck={false} required autoFocus />
          </label>
        ) : (
          <>
            <label>
              E-mail
              <input name="email" type="email" autocomplete="username" defaultValue={email} required autoFocus={!email} />
            </label>
            <label>
              Password
              <input name="password" type="password" autocomplete="current-password" required autoFocus={!!email} />
            </label>
            {second ? <Second backup={backup} exchange={() => setBackup(!backup)} /> : null}
          </>
        )}
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "One moment…" : "Go in"}
        </button>
        <p class="wrong" role="alert">
          {wrong}
        </p>
      </form>
      {methods?.oidc && way === "login" ? (
        <p class="provider">
          <a class="button" href={methods.oidc.login_url + back} target="_self">
            Go in with {methods.oidc.name}
          </a>
          {interrupted.value ? <span class="quiet">What you have typed here is lost that way.</span> : null}
        </p>
      ) : null}
      {methods && !methods.required ? (
        <button type="button" class="plain" onClick={goOnAsNobody}>
          Go on without: this service asks nobody
        </button>
      ) : null}
      <p class="quiet small">
        {way === "key"
          ? "The key is kept in this tab alone, and forgotten when you close it."
          : "You stay logged in in this tab alone, until you leave or close it."}
      </p>
    </>
  );
}

function Second({ backup, exchange }: { backup: boolean; exchange: () => void }) {
  const place = useRef<HTMLInputElement>(null);
  useEffect(() => place.current?.focus(), [backup]);
  return (
    <>
      <label>
        {backup ? "Backup code" : "Code of your authenticator app"}
        <input
          key={String(backup)}
          ref={place}
          name="totp"
          inputMode={backup ? "text" : "numeric"}
          autocomplete={backup ? "off" : "one-time-code"}
          spellcheck={false}
          required
        />
      </label>
      <button type="button" class="plain" onClick={exchange}>
        {backup ? "I have the app at hand" : "I lost the app: use a backup code"}
      </button>
    </>
  );
}

function said(failure: unknown, way: Way): string {
  if (!(failure instanceof ApiError)) {
    return "The service does not answer.";
  }
  if (way === "key" && failure.status === 401) {
    return "The service does not know this key.";
  }
  const wait = failure.retryAfter > 60 ? ` Try again in ${Math.ceil(failure.retryAfter / 60)} minutes.` : "";
  return failure.message + (failure.status === 429 ? wait : "");
}
