// API keys: made with no more than one has, shown once, rotated, revoked, and what each was used for.
import { useState } from "preact/hooks";

import { post, remove } from "../api";
import { useData } from "../data";
import { moment } from "../format";
import { Choice, Field, Form, ProjectTicks, Secret, Sure, Ticks, projectsOf, typed, useSending } from "../pieces/form";
import { Empty, Failure, Since, Waiting } from "../pieces/marks";
import { tell } from "../pieces/toast";
import { change, route } from "../route";
import { me } from "../session";
import { KeyUsage } from "./settings-usage";

export const ROLES = ["viewer", "developer", "operator", "admin"];
export const TIERS = ["free", "pro", "enterprise"];
export const SCOPES = [
  "read:analysis",
  "write:analysis",
  "read:findings",
  "write:findings",
  "read:alerts",
  "write:alerts",
  "read:metrics",
  "read:config",
  "manage:webhooks",
  "manage:projects",
  "admin",
];
const GRACE: [string, string][] = [
  ["0", "ends at once"],
  ["3600", "counts for an hour more"],
  ["86400", "counts for a day more"],
];
const ALL = "/auth/api-keys?limit=1000";

interface Key {
  id: string;
  name: string;
  hint: string;
  role: string | null;
  scopes: string[];
  projects: string[] | null;
  tier: string;
  created_by: string;
  is_active: boolean;
  require_signature: boolean;
  expires_at: string | null;
  last_used_at: string | null;
  created_at: string;
}

interface Made extends Key {
  key: string;
  signing_secret?: string;
}

export function Keys() {
  const read = useData<{ api_keys: Key[] }>(ALL);
  const [made, setMade] = useState<Made | null>(null);
  const making = route.value.query.get("new") === "1";
  const of = read.data?.api_keys;
  const again = (one: Made) => {
    setMade(one);
    change({ new: "" });
    read.reload();
  };
  return (
    <section aria-labelledby="keys-title">
      <div class="head">
        <h2 id="keys-title">API keys</h2>
        {making ? null : (
          <button type="button" class="primary" onClick={() => change({ new: "1" }, false)}>
            New key
          </button>
        )}
      </div>
      {made ? (
        <Secret
          title={`The key “${made.name}”`}
          text={made.signing_secret ? `${made.key}\nsigning secret: ${made.signing_secret}` : made.key}
          note="It is shown this once: only a hash of it is kept. Programs send it as Authorization: Bearer."
          kept={() => setMade(null)}
        />
      ) : null}
      {making ? <NewKey done={again} /> : null}
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {!of && !read.error ? <Waiting /> : null}
      {of?.length === 0 && !making ? (
        <Empty title="There is no key yet." command="hefesto keys create --name ci --role developer">
          Make one here, or on the service's machine:
        </Empty>
      ) : null}
      <ul class="entries">
        {of?.map((one) => (
          <Entry key={one.id} of={one} reload={read.reload} rotated={again} />
        ))}
      </ul>
    </section>
  );
}

function Entry({ of, reload, rotated }: { of: Key; reload: () => void; rotated: (made: Made) => void }) {
  const used = route.value.query.get("usage") === of.id;
  const [turning, setTurning] = useState(false);
  const ended = of.expires_at !== null && Date.parse(of.expires_at) < Date.now();
  return (
    <li class={of.is_active && !ended ? "" : "off"}>
      <div>
        <b>{of.name}</b> <code class="quiet">{of.hint}…</code>
        {of.is_active ? ended ? <span class="tag hot">ended</span> : null : <span class="tag hot">revoked</span>}
        {of.require_signature ? <span class="tag">signs its requests</span> : null}
        <span class="sub quiet">
          {of.role ?? (of.scopes.join(", ") || "nothing")} · {of.projects === null ? "all projects" : of.projects.join(", ")} · {of.tier} ·{" "}
          {of.expires_at ? `until ${moment(of.expires_at)}` : "without an end"} ·{" "}
          {of.last_used_at ? (
            <>
              used <Since at={of.last_used_at} /> ago
            </>
          ) : (
            "never used"
          )}{" "}
          · made by {of.created_by}
        </span>
      </div>
      <div class="acts">
        <button type="button" aria-expanded={used} onClick={() => change({ usage: used ? "" : of.id })}>
          Usage<span class="hidden"> of {of.name}</span>
        </button>
        <button type="button" aria-expanded={turning} onClick={() => setTurning(!turning)}>
          Rotate<span class="hidden"> {of.name}</span>
        </button>
        <Sure
          act="Revoke"
          label={of.name}
          about={`Within a second nobody takes “${of.name}” any more.`}
          does={async () => {
            await remove(`/auth/api-keys/${of.id}`);
            tell(`Revoked: ${of.name}`);
            reload();
          }}
        />
      </div>
      {turning ? <Rotation of={of} done={(made) => (setTurning(false), rotated(made))} /> : null}
      {used ? <KeyUsage id={of.id} name={of.name} /> : null}
    </li>
  );
}

function Rotation({ of, done }: { of: Key; done: (made: Made) => void }) {
  const sending = useSending();
  return (
    <div class="within">
      <Form
        of={sending}
        act="Give it a new secret"
        send={async (read) => {
          done(await post<Made>(`/auth/api-keys/${of.id}/rotate`, { grace_seconds: Number(read.get("grace")) }));
        }}
      >
        <Choice name="grace" label="The present secret" value="0" of={GRACE} />
      </Form>
    </div>
  );
}

function NewKey({ done }: { done: (made: Made) => void }) {
  const sending = useSending();
  const [role, setRole] = useState("viewer");
  const mine = me.value;
  const admin = !mine || mine.scopes.includes("admin");
  const roles = admin ? ROLES : ROLES.slice(0, Math.max(1, ROLES.indexOf(mine.role ?? "viewer") + 1));
  const tiers = mine && !admin ? TIERS.slice(0, TIERS.indexOf(mine.tier) + 1) : TIERS;
  async function send(read: FormData): Promise<void> {
    const until = typed(read, "expires_at");
    const scopes = read.getAll("scopes").map(String);
    const made = await post<Made>("/auth/api-keys", {
      name: typed(read, "name") ?? "",
      ...(role ? { role } : { scopes }),
      projects: projectsOf(read),
      tier: String(read.get("tier")),
      ...(until ? { expires_at: until } : {}),
      require_signature: read.get("require_signature") === "on",
    });
    done(made);
  }
  return (
    <div class="within">
      <Form of={sending} act="Make the key" send={send}>
        <Field name="name" label="Name" placeholder="ci of the shop" maxLength={200} required autoFocus wrong={sending.of("name")} />
        <Choice
          name="role"
          label="May do"
          value={role}
          of={[...roles.map((one): [string, string] => [one, `what a ${one} may`]), ["", "single scopes…"]]}
          onPick={setRole}
        />
        <Choice name="tier" label="How much it may ask" value={tiers.includes("pro") ? "pro" : "free"} of={tiers.map((one) => [one, one])} />
        <Field
          name="expires_at"
          label="Until"
          type="date"
          min={new Date().toISOString().slice(0, 10)}
          hint="That day included; empty for no end."
          wrong={sending.of("expires_at")}
        />
        {role === "" ? (
          <Ticks name="scopes" label="Scopes" of={admin ? SCOPES : (mine?.scopes ?? [])} ticked={[]} hint="Nobody gives what he does not have." />
        ) : null}
        <ProjectTicks bound={null} mine={mine?.projects ?? null} />
        <label class="tick wide">
          <input type="checkbox" name="require_signature" /> its requests must be signed
        </label>
      </Form>
      <button type="button" class="plain" onClick={() => change({ new: "" })}>
        Cancel
      </button>
    </div>
  );
}
