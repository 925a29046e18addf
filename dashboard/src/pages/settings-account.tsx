// Who one is here, one's password, second factor and sessions.
import { useState } from "preact/hooks";

import { logout, post, remove, waysIn } from "../api";
import { useData } from "../data";
import { moment } from "../format";
import { Field, Form, Sure, useSending } from "../pieces/form";
import { Failure, Since, Waiting } from "../pieces/marks";
import { complain, tell } from "../pieces/toast";
import { credentials, me, refused, type Me } from "../session";
import { Factor } from "./settings-factor";

export function Account() {
  const of = me.value;
  if (!credentials.value) {
    return <Nobody />;
  }
  if (!of) {
    return <Waiting />;
  }
  return (
    <>
      <Who of={of} />
      {of.kind === "user" ? (
        <>
          <Password />
          <Factor of={of} />
          <Identities />
          <Sessions />
        </>
      ) : (
        <p class="quiet">
          You have come in with a key: a password, a second factor and sessions are of people who log in. Leave, and log in.
        </p>
      )}
    </>
  );
}

function Nobody() {
  return (
    <section aria-labelledby="nobody">
      <h2 id="nobody">My account</h2>
      <p class="quiet">
        This service asks nobody who he is: whoever reaches it may do all. With <code>HEFESTO_AUTH=required</code> people log
        in and programs show keys.
      </p>
      <div class="acts">
        <button
          type="button"
          onClick={() => void waysIn().then(() => (refused.value = "Log in as somebody whom this service knows."), complain)}
        >
          Log in all the same
        </button>
      </div>
      <pre class="command" tabIndex={0} aria-label="Command">
        <code>hefesto users create you@example.org --role admin</code>
      </pre>
    </section>
  );
}

function Who({ of }: { of: Me }) {
  return (
    <section aria-labelledby="who">
      <h2 id="who">{of.email ?? of.name}</h2>
      <dl class="facts">
        <div>
          <dt>role</dt>
          <dd>{of.role ?? of.kind}</dd>
        </div>
        <div>
          <dt>projects</dt>
          <dd>{of.projects === null ? "all" : of.projects.join(", ") || "none yet"}</dd>
        </div>
        <div>
          <dt>tier</dt>
          <dd>{of.tier}</dd>
        </div>
        <div>
          <dt>may</dt>
          <dd>{of.scopes.join(", ")}</dd>
        </div>
      </dl>
      <div class="acts">
        <button type="button" onClick={() => void logout()}>
          Log out
        </button>
      </div>
    </section>
  );
}

function Password() {
  const sending = useSending();
  const [done, setDone] = useState(0);
  return (
    <section aria-labelledby="password">
      <h2 id="password">Password</h2>
      <Form
        key={done}
        of={sending}
        act="Change it"
        send={async (read) => {
          await post("/auth/password", {
            current_password: String(read.get("current_password")),
            new_password: String(read.get("new_password")),
          });
          setDone(done + 1);
          tell("The password is changed; all your other sessions have ended, and what you allowed programs");
        }}
      >
        <input class="hidden" type="email" autocomplete="username" value={me.value?.email ?? ""} readOnly tabIndex={-1} aria-hidden="true" />
        <Field
          name="current_password"
          label="Present password"
          type="password"
          autocomplete="current-password"
          required
          wrong={sending.of("current_password")}
        />
        <Field
          name="new_password"
          label="New password"
          type="password"
          autocomplete="new-password"
          minLength={12}
          required
          hint="At least 12 characters, of any kind. A few words are good."
          wrong={sending.of("new_password")}
        />
      </Form>
    </section>
  );
}

interface Identity {
  id: string;
  issuer: string;
  subject: string;
  email: string | null;
  created_at: string;
}

/** The accounts at providers by which one comes in; nothing where there are none. */
function Identities() {
  const read = useData<{ identities: Identity[] }>("/auth/oidc/identities", true);
  const of = read.data?.identities ?? [];
  if (!of.length && !read.error) {
    return null;
  }
  return (
    <section aria-labelledby="identities">
      <h2 id="identities">Linked providers</h2>
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      <ul class="entries">
        {of.map((one) => (
          <li key={one.id}>
            <div>
              <b>{hostOf(one.issuer)}</b> <span class="quiet">{one.email ?? one.subject}</span>
              <span class="sub quiet">linked {moment(one.created_at)}</span>
            </div>
            <Sure
              act="Unlink"
              label={`${one.email ?? one.subject} at ${hostOf(one.issuer)}`}
              about="You no longer log in with this account. Whoever shows it is not you any more."
              does={async () => {
                await remove(`/auth/oidc/identities/${one.id}`);
                tell(`Unlinked: ${hostOf(one.issuer)}`);
                read.reload();
              }}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}

interface Session {
  id: string;
  ip_address: string;
  user_agent: string;
  is_current: boolean;
  created_at: string;
  last_used_at: string;
  expires_at: string;
}

function Sessions() {
  const read = useData<{ sessions: Session[] }>("/auth/sessions");
  const of = read.data?.sessions ?? [];
  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions">
        Sessions <span class="quiet figure">{of.length || ""}</span>
      </h2>
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      <ul class="entries">
        {of.map((one) => (
          <li key={one.id}>
            <div>
              <b>{browser(one.user_agent)}</b> <span class="quiet">{one.ip_address}</span>
              <span class="sub quiet">
                since {moment(one.created_at)}, used <Since at={one.last_used_at} /> ago
              </span>
            </div>
            {one.is_current ? (
              <span class="status resolved">this one</span>
            ) : (
              <Sure
                act="End"
                label={`the session of ${browser(one.user_agent)} at ${one.ip_address}`}
                about="Whoever uses it is out at once."
                does={async () => {
                  await remove(`/auth/sessions/${one.id}`);
                  tell(`Ended: ${browser(one.user_agent)} at ${one.ip_address}`);
                  read.reload();
                }}
              />
            )}
          </li>
        ))}
      </ul>
      {of.length > 1 ? (
        <div class="acts">
          <Sure
            act="End all others"
            about="Every session but this one ends."
            does={async () => {
              await remove("/auth/sessions");
              read.reload();
            }}
          />
        </div>
      ) : null}
    </section>
  );
}

/** A browser and its system, as far as it says what it is. */
function browser(agent: string): string {
  const name = /(Edg|OPR|Firefox|Chrome|Safari|curl|python)/i.exec(agent)?.[1] ?? "";
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1] ?? "";
  const called = { Edg: "Edge", OPR: "Opera" }[name] ?? name;
  return [called, system].filter(Boolean).join(" on ") || agent.slice(0, 60) || "unknown program";
}
