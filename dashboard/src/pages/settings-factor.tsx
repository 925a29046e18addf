// The second factor: an app takes the secret from a QR code, a code of it puts the factor in force, and ten
// backup codes are shown once.
import { useState } from "preact/hooks";

import { identify, post } from "../api";
import { Field, Form, Secret, typed, useSending } from "../pieces/form";
import { QrCode } from "../pieces/qr";
import { tell } from "../pieces/toast";
import type { Me } from "../session";

interface Offered {
  secret: string;
  otpauth_uri: string;
}

export function Factor({ of }: { of: Me }) {
  const [codes, setCodes] = useState<string[]>([]);
  const on = of.mfa_enabled === true;
  return (
    <section aria-labelledby="factor">
      <h2 id="factor">
        Second factor <span class={on ? "status resolved" : "status"}>{on ? "in force" : "none"}</span>
      </h2>
      {codes.length ? (
        <Secret
          title="Backup codes"
          text={codes.join("\n")}
          note="Each lets you in once without the app. They are shown this once: print them, or keep them with your passwords."
          kept={() => setCodes([])}
        />
      ) : null}
      {on ? <InForce of={of} told={setCodes} /> : <Enrolment told={setCodes} />}
    </section>
  );
}

function Enrolment({ told }: { told: (codes: string[]) => void }) {
  const [offered, setOffered] = useState<Offered | null>(null);
  const asking = useSending();
  const verifying = useSending();
  if (!offered) {
    return (
      <Form
        of={asking}
        act="Set it up"
        send={async (read) => setOffered(await post<Offered>("/auth/mfa/setup", confirmation(read)))}
      >
        <p class="quiet wide">With an authenticator app, a password alone lets nobody in.</p>
        <Again failure={asking.failure?.details} />
      </Form>
    );
  }
  return (
    <div class="enrolment">
      <QrCode text={offered.otpauth_uri} label="QR code for an authenticator app" />
      <div>
        <p>
          Take this up with an authenticator app, then type the code that it shows. Without a camera, type the secret:
        </p>
        <p>
          <code class="typed">{offered.secret.replaceAll(/(.{4})/g, "$1 ").trim()}</code>
        </p>
        <Form
          of={verifying}
          act="Put it in force"
          send={async (read) => {
            const { backup_codes } = await post<{ backup_codes: string[] }>("/auth/mfa/verify", { totp: typed(read, "totp") });
            told(backup_codes);
            await identify();
          }}
        >
          <Field name="totp" label="Code of the app" inputMode="numeric" autocomplete="one-time-code" required autoFocus />
        </Form>
        <button type="button" class="plain" onClick={() => setOffered(null)}>
          Not now
        </button>
      </div>
    </div>
  );
}

function InForce({ of, told }: { of: Me; told: (codes: string[]) => void }) {
  const [wanted, setWanted] = useState<"" | "codes" | "off">("");
  const sending = useSending();
  async function send(read: FormData): Promise<void> {
    const shown = { totp: typed(read, "totp"), ...confirmation(read) };
    if (wanted === "codes") {
      told((await post<{ backup_codes: string[] }>("/auth/mfa/backup-codes", shown)).backup_codes);
    } else {
      await post("/auth/mfa/disable", shown);
      tell("The second factor is gone: the password alone lets you in");
    }
    setWanted("");
    await identify();
  }
  const left = of.backup_codes_left ?? 0;
  return (
    <>
      <p class={left < 3 ? "warning" : "quiet"}>
        {left} of 10 backup codes left{left < 3 ? ": make new ones before they run out" : ""}.
      </p>
      {wanted ? (
        <Form key={wanted} of={sending} act={wanted === "codes" ? "Make new codes" : "Remove it"} send={send}>
          <Field name="totp" label="Code of the app, or a backup code" autocomplete="one-time-code" required autoFocus />
          <Again failure={sending.failure?.details} />
          <button type="button" class="plain" onClick={() => setWanted("")}>
            Cancel
          </button>
        </Form>
      ) : (
        <div class="acts">
          <button type="button" onClick={() => setWanted("codes")}>
            New backup codes
          </button>
          <button type="button" onClick={() => setWanted("off")}>
            Remove the second factor
          </button>
        </div>
      )}
    </>
  );
}

/** The password once more, where the login was long ago. */
function Again({ failure }: { failure: Record<string, unknown> | undefined }) {
  const [asked, setAsked] = useState(false);
  if (failure?.["password_required"] && !asked) {
    setAsked(true);
  }
  return asked ? <Field name="password" label="Your password once more" type="password" autocomplete="current-password" required autoFocus /> : null;
}

function confirmation(read: FormData): { password?: string } {
  const password = String(read.get("password") ?? "");
  return password ? { password } : {};
}
