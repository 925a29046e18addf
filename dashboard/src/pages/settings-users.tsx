// The people: made, bound to projects, switched off and on, helped when they lost their second factor.
import { patch, post, remove } from "../api";
import { useData } from "../data";
import { Choice, Field, Form, ProjectTicks, Sure, projectsOf, typed, useSending } from "../pieces/form";
import { Empty, Failure, Since, Waiting } from "../pieces/marks";
import { complain, tell } from "../pieces/toast";
import { change, route } from "../route";
import { me } from "../session";
import { ROLES, TIERS } from "./settings-keys";

interface User {
  id: string;
  email: string;
  name: string;
  role: string;
  projects: string[] | null;
  tier: string;
  is_active: boolean;
  has_password: boolean;
  last_login_at: string | null;
}

export function Users() {
  const read = useData<{ users: User[]; total_count: number }>("/auth/users?limit=1000");
  const query = route.value.query;
  const making = query.get("new") === "1";
  const of = read.data?.users;
  return (
    <section aria-labelledby="users">
      <div class="head">
        <h2 id="users">Users</h2>
        {making ? null : (
          <button type="button" class="primary" onClick={() => change({ new: "1", edit: "" }, false)}>
            New user
          </button>
        )}
      </div>
      {making ? <NewUser done={read.reload} /> : null}
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {!of && !read.error ? <Waiting /> : null}
      {of?.length === 0 && !making ? (
        <Empty title="Nobody has an account yet." command="hefesto users create you@example.org --role admin">
          Make one here, or on the service's machine:
        </Empty>
      ) : null}
      <ul class="entries">
        {of?.map((one) => (
          <Entry key={one.id} of={one} open={query.get("edit") === one.id} reload={read.reload} />
        ))}
      </ul>
    </section>
  );
}

function Entry({ of, open, reload }: { of: User; open: boolean; reload: () => void }) {
  const self = me.value?.id === of.id;
  async function turn(): Promise<void> {
    try {
      await patch(`/auth/users/${of.id}`, { is_active: !of.is_active });
      tell(of.is_active ? `${of.email} is out within a second` : `${of.email} may log in again`);
      reload();
    } catch (failure) {
      complain(failure);
    }
  }
  return (
    <li class={of.is_active ? "" : "off"}>
      <div>
        <b>{of.email}</b> {of.name && of.name !== of.email ? <span class="quiet">{of.name}</span> : null}
        {of.is_active ? null : <span class="tag hot">switched off</span>}
        {of.has_password ? null : <span class="tag">no password</span>}
        {self ? <span class="tag">you</span> : null}
        <span class="sub quiet">
          {of.role} · {of.projects === null ? "all projects" : of.projects.join(", ") || "no project yet"} · {of.tier} ·{" "}
          {of.last_login_at ? (
            <>
              here <Since at={of.last_login_at} /> ago
            </>
          ) : (
            "never here"
          )}
        </span>
      </div>
      <div class="acts">
        <button type="button" aria-expanded={open} onClick={() => change({ edit: open ? "" : of.id, new: "" })}>
          Edit<span class="hidden"> {of.email}</span>
        </button>
        {self ? null : (
          <button type="button" onClick={() => void turn()}>
            {of.is_active ? "Switch off" : "Switch on"}
            <span class="hidden"> {of.email}</span>
          </button>
        )}
      </div>
      {open ? <Edit of={of} self={self} reload={reload} /> : null}
    </li>
  );
}

function Edit({ of, self, reload }: { of: User; self: boolean; reload: () => void }) {
  const sending = useSending();
  const end = () => {
    change({ edit: "" });
    reload();
  };
  return (
    <div class="within">
      <Form
        of={sending}
        act="Save"
        send={async (read) => {
          const password = String(read.get("password") ?? "");
          await patch(`/auth/users/${of.id}`, {
            name: typed(read, "name") ?? of.name,
            role: String(read.get("role")),
            tier: String(read.get("tier")),
            projects: projectsOf(read),
            ...(password ? { password } : {}),
          });
          tell(`Saved: ${of.email}`);
          end();
        }}
      >
        <Field name="name" label="Name" defaultValue={of.name} maxLength={200} wrong={sending.of("name")} />
        <Choice name="role" label="Role" value={of.role} of={ROLES.map((one) => [one, one])} />
        <Choice name="tier" label="How much may be asked" value={of.tier} of={TIERS.map((one) => [one, one])} />
        {self ? null : (
          <Field
            name="password"
            label="New password"
            type="password"
            autocomplete="new-password"
            minLength={12}
            hint="Empty leaves it. A new one ends all sessions and what programs were allowed."
            wrong={sending.of("password")}
          />
        )}
        <ProjectTicks bound={of.projects} mine={null} />
      </Form>
      <div class="acts">
        <Sure
          act="Take the second factor away"
          about={`${of.email} then logs in by password alone.`}
          does={async () => {
            await remove(`/auth/users/${of.id}/mfa`);
            tell(`${of.email} has no second factor any more`);
          }}
        />
        <Sure
          act="Unlock"
          about={`Wrong passwords for ${of.email} are forgotten: a login is heard from everywhere again.`}
          does={async () => {
            await post(`/auth/users/${of.id}/unlock`);
            tell(`${of.email} is heard from everywhere again`);
          }}
        />
        {self ? null : (
          <Sure
            act="Delete"
            about={`Keys and sessions of ${of.email} go with the account; what was done keeps the name. Type the address:`}
            word={of.email}
            does={async () => {
              await remove(`/auth/users/${of.id}`);
              tell(`Deleted: ${of.email}`);
              end();
            }}
          />
        )}
      </div>
      <p class="hint">
        Who typed a wrong password ten times is not heard from that place for 15 minutes, unless you unlock the account.
      </p>
    </div>
  );
}

function NewUser({ done }: { done: () => void }) {
  const sending = useSending();
  return (
    <div class="within">
      <Form
        of={sending}
        act="Make the account"
        send={async (read) => {
          const password = String(read.get("password") ?? "");
          const email = typed(read, "email") ?? "";
          await post("/auth/users", {
            email,
            ...(typed(read, "name") ? { name: typed(read, "name") } : {}),
            role: String(read.get("role")),
            tier: String(read.get("tier")),
            projects: projectsOf(read),
            ...(password ? { password } : {}),
          });
          tell(`Made: ${email}`);
          change({ new: "" });
          done();
        }}
      >
        <Field name="email" label="E-mail" type="email" autocomplete="off" required autoFocus wrong={sending.of("email")} />
        <Field name="name" label="Name" autocomplete="off" maxLength={200} wrong={sending.of("name")} />
        <Choice name="role" label="Role" value="developer" of={ROLES.map((one) => [one, one])} />
        <Choice name="tier" label="How much may be asked" value="pro" of={TIERS.map((one) => [one, one])} />
        <Field
          name="password"
          label="First password"
          type="password"
          autocomplete="new-password"
          minLength={12}
          hint="At least 12 characters. Empty for who comes by a provider."
          wrong={sending.of("password")}
        />
        <ProjectTicks bound={null} mine={null} />
      </Form>
      <button type="button" class="plain" onClick={() => change({ new: "" })}>
        Cancel
      </button>
    </div>
  );
}
