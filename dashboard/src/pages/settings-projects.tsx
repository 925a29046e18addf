// Projects: where their code lies, which services are theirs, how the paths of traces map, who owns what.
import { useState } from "preact/hooks";

import { get, patch, post, remove } from "../api";
import { useData } from "../data";
import { many } from "../format";
import { Field, Form, Sure, typed, useSending } from "../pieces/form";
import { Empty, Failure, Waiting } from "../pieces/marks";
import { tell } from "../pieces/toast";
import { change, route } from "../route";
import { may } from "../session";

interface Mapping {
  from: string;
  to: string;
}

interface Project {
  slug: string;
  name: string | null;
  root_path: string | null;
  repository_url: string | null;
  default_branch: string | null;
  service_names: string[];
  path_mappings: Mapping[];
  revenue_per_user_usd: number | null;
}

const TEXTS = ["name", "root_path", "repository_url", "default_branch"] as const;

export function Projects() {
  const read = useData<{ projects: Project[] }>("/projects?limit=1000", true);
  const managing = may("manage:projects");
  const query = route.value.query;
  const making = managing && query.get("new") === "1";
  const of = read.data?.projects;
  const done = () => {
    change({ new: "", edit: "" });
    read.reload();
  };
  return (
    <section aria-labelledby="projects">
      <div class="head">
        <h2 id="projects">Projects</h2>
        {managing && !making ? (
          <button type="button" class="primary" onClick={() => change({ new: "1", edit: "" }, false)}>
            New project
          </button>
        ) : null}
      </div>
      {managing ? null : (
        <p class="quiet">
          You may look. To make or change projects takes the scope <code>manage:projects</code>.
        </p>
      )}
      {making ? (
        <div class="within">
          <ProjectForm done={done} />
          <button type="button" class="plain" onClick={() => change({ new: "" })}>
            Cancel
          </button>
        </div>
      ) : null}
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {!of && !read.error ? <Waiting /> : null}
      {of?.length === 0 && !making ? (
        <Empty
          title="There is no project yet."
          command={`curl ${location.origin}/api/v1/projects -H 'Content-Type: application/json' \\\n  -d '{"slug": "shop", "root_path": "."}'`}
        >
          An analysis that names one makes it; so does this:
        </Empty>
      ) : null}
      <ul class="entries">
        {of?.map((one) => (
          <Entry key={one.slug} of={one} open={query.get("edit") === one.slug} managing={managing} done={done} />
        ))}
      </ul>
    </section>
  );
}

function Entry({ of, open, managing, done }: { of: Project; open: boolean; managing: boolean; done: () => void }) {
  return (
    <li>
      <div>
        <b>{of.slug}</b> {of.name && of.name !== of.slug ? <span class="quiet">{of.name}</span> : null}
        <span class="sub quiet">
          {of.root_path ? <code>{of.root_path}</code> : "no folder of the server"}
          {of.service_names.length ? ` · services: ${of.service_names.join(", ")}` : ""}
          {of.path_mappings.length ? ` · ${many(of.path_mappings.length, "path mapping")}` : ""}
        </span>
      </div>
      <div class="acts">
        <button type="button" aria-expanded={open} onClick={() => change({ edit: open ? "" : of.slug, new: "" })}>
          {managing ? "Edit" : "Owners"}
          <span class="hidden"> {of.slug}</span>
        </button>
      </div>
      {open ? (
        <div class="within">
          {managing ? <ProjectForm of={of} done={done} /> : null}
          <Ownership slug={of.slug} />
          {managing ? (
            <Sure
              act="Delete"
              about={`All analyses, findings and histories of ${of.slug} go with it. Type its name:`}
              word={of.slug}
              does={async () => {
                await remove(`/projects/${encodeURIComponent(of.slug)}`);
                tell(`Deleted: ${of.slug}`);
                done();
              }}
            />
          ) : null}
        </div>
      ) : null}
    </li>
  );
}

function ProjectForm({ of, done }: { of?: Project; done: () => void }) {
  const sending = useSending();
  const [mappings, setMappings] = useState<Mapping[]>(of?.path_mappings ?? []);
  const set = (at: number, part: Partial<Mapping>) =>
    setMappings(mappings.map((one, index) => (index === at ? { ...one, ...part } : one)));
  async function send(read: FormData): Promise<void> {
    const texts = TEXTS.map((name) => [name, typed(read, name) ?? null] as const);
    const worth = typed(read, "revenue_per_user_usd");
    const wanted = {
      // What was empty and stays empty need not be said.
      ...Object.fromEntries(texts.filter(([name, value]) => value !== null || (of?.[name] ?? null) !== null)),
      service_names: lines(read, "service_names"),
      path_mappings: mappings.filter((one) => one.from.trim()),
      ...(worth || of?.revenue_per_user_usd ? { revenue_per_user_usd: worth ? Number(worth) : null } : {}),
    };
    if (of) {
      await patch(`/projects/${encodeURIComponent(of.slug)}`, wanted);
    } else {
      await post("/projects", { slug: typed(read, "slug") ?? "", ...wanted });
    }
    tell(of ? `Saved: ${of.slug}` : `Made: ${typed(read, "slug")}`);
    done();
  }
  return (
    <Form of={sending} act={of ? "Save" : "Make the project"} send={send}>
      {of ? null : (
        <Field name="slug" label="Slug" placeholder="shop" required autoFocus spellcheck={false} hint="What it is called in every call; it stays." wrong={sending.of("slug")} />
      )}
      <Field name="name" label="Name" defaultValue={of?.name ?? ""} wrong={sending.of("name")} />
      <Field
        name="root_path"
        label="Folder on the server"
        placeholder="/srv/shop"
        spellcheck={false}
        defaultValue={of?.root_path ?? ""}
        hint="Within what may be analysed (HEFESTO_ROOTS)."
        wrong={sending.of("root_path") || String(sending.failure?.details["reason"] ?? "").replaceAll("_", " ")}
      />
      <Field name="repository_url" label="Repository" type="url" placeholder="https://git.example/shop" defaultValue={of?.repository_url ?? ""} wrong={sending.of("repository_url")} />
      <Field name="default_branch" label="Default branch" placeholder="main" spellcheck={false} defaultValue={of?.default_branch ?? ""} wrong={sending.of("default_branch")} />
      <Field
        name="revenue_per_user_usd"
        label="Revenue by user, in USD"
        type="number"
        min="0"
        step="any"
        defaultValue={of?.revenue_per_user_usd ?? ""}
        hint="What an outage costs is reckoned with it."
        wrong={sending.of("revenue_per_user_usd")}
      />
      <label class="field wide">
        <span>Services whose alerts are this project's, one a line</span>
        <textarea name="service_names" rows={Math.max(2, of?.service_names.length ?? 0)} spellcheck={false} defaultValue={of?.service_names.join("\n") ?? ""} />
        {sending.of("service_names") ? <span class="wrong">{sending.of("service_names")}</span> : null}
      </label>
      <fieldset class="mappings">
        <legend>Paths of traces</legend>
        <p class="hint">What a path begins with where it runs, and what it begins with in the project.</p>
        {mappings.map((one, at) => (
          <div key={at}>
            <input aria-label="Where it runs" placeholder="/app/" value={one.from} spellcheck={false} onInput={(event) => set(at, { from: event.currentTarget.value })} />
            <span aria-hidden="true">→</span>
            <input aria-label="In the project" placeholder="src/" value={one.to} spellcheck={false} onInput={(event) => set(at, { to: event.currentTarget.value })} />
            <button type="button" class="plain" onClick={() => setMappings(mappings.filter((_, index) => index !== at))}>
              Remove
            </button>
          </div>
        ))}
        <button type="button" onClick={() => setMappings([...mappings, { from: "", to: "" }])}>
          Add a mapping
        </button>
        {sending.of("path_mappings") ? <p class="wrong">{sending.of("path_mappings")}</p> : null}
      </fieldset>
    </Form>
  );
}

interface Owned {
  owners: string[];
  rule: string | null;
  file: string | null;
  line: number | null;
  explanation: string;
}

/** Who owns a path, by the CODEOWNERS file of the analysed tree. */
function Ownership({ slug }: { slug: string }) {
  const sending = useSending();
  const [found, setFound] = useState<Owned | null>(null);
  return (
    <div class="ownership">
      <h3>Ownership</h3>
      <Form
        of={sending}
        minor
        act="Who owns it?"
        send={async (read) => {
          const path = encodeURIComponent(typed(read, "path") ?? "");
          setFound(await get<Owned>(`/projects/${encodeURIComponent(slug)}/owners?path=${path}`));
        }}
      >
        <Field name="path" label="A path of the project" placeholder="src/cart.py" spellcheck={false} required hint="Owners are read from CODEOWNERS in the analysed tree." />
      </Form>
      {found ? (
        <p role="status">
          <b>{found.owners.join(", ") || "Nobody"}</b> <span class="quiet">{found.explanation}</span>
        </p>
      ) : null}
    </div>
  );
}

function lines(read: FormData, name: string): string[] {
  return String(read.get(name) ?? "")
    .split("\n")
    .map((one) => one.trim())
    .filter(Boolean);
}
