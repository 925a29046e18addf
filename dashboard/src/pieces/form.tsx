// What forms share: fields with what is wrong with them, choices of scopes and projects, secrets that are shown
// once, and acts that are asked about before they are done.
import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useRef, useState } from "preact/hooks";

import { ApiError } from "../api";
import { useData } from "../data";
import type { Project } from "../types";
import "./form.css";

interface Sending {
  busy: boolean;
  /** What is wrong with the whole. */
  wrong: string;
  /** What is wrong with a field, by its name. */
  of: (field: string) => string;
  run: (does: () => Promise<void>) => Promise<void>;
  failure: ApiError | null;
}

/** Send something once at a time, and keep what the service says against it. */
export function useSending(): Sending {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const errors = (failure?.details["errors"] ?? []) as { field: string; message: string }[];
  return {
    busy,
    failure,
    wrong: failure && errors.length === 0 ? failure.message : errors.filter((one) => !one.field).map((one) => one.message).join(" "),
    of: (field) => errors.filter((one) => one.field === field || one.field.startsWith(`${field}.`)).map((one) => one.message).join(" "),
    async run(does) {
      setBusy(true);
      setFailure(null);
      try {
        await does();
      } catch (caught) {
        setFailure(caught instanceof ApiError ? caught : new ApiError(0, "OFFLINE", "The service does not answer."));
      } finally {
        setBusy(false);
      }
    },
  };
}

export function Form({ of, act, send, children, minor = false }: {
  of: Sending;
  act: string;
  /** Whether there are weightier acts beside it. */
  minor?: boolean;
  send: (read: FormData) => Promise<void>;
  children: ComponentChildren;
}) {
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const read = new FormData(event.currentTarget);
        void of.run(() => send(read));
      }}
    >
      {children}
      <div class="acts">
        <button type="submit" class={minor ? "" : "primary"} disabled={of.busy}>
          {of.busy ? "One moment…" : act}
        </button>
        <p class="wrong" role="alert">
          {of.wrong}
        </p>
      </div>
    </form>
  );
}

export function Field({ name, label, hint, wrong, ...input }: {
  name: string;
  label: string;
  hint?: string;
  wrong?: string;
} & Omit<InputHTMLAttributes<HTMLInputElement>, "label">) {
  return (
    <label class="field">
      <span>{label}</span>
      <input name={name} aria-invalid={wrong ? true : undefined} aria-describedby={wrong ? `wrong-${name}` : undefined} {...(input as object)} />
      {hint ? <span class="hint">{hint}</span> : null}
      {wrong ? (
        <span class="wrong" id={`wrong-${name}`}>
          {wrong}
        </span>
      ) : null}
    </label>
  );
}

export function Choice({ name, label, value, of, onPick }: {
  name: string;
  label: string;
  value: string;
  of: [string, string][];
  onPick?: (value: string) => void;
}) {
  return (
    <label class="field">
      <span>{label}</span>
      <select name={name} defaultValue={value} onChange={(event) => onPick?.(event.currentTarget.value)}>
        {of.map(([one, told]) => (
          <option key={one} value={one} selected={one === value}>
            {told}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Ticks({ name, label, of, ticked, hint }: {
  name: string;
  label: string;
  of: string[];
  ticked: string[];
  hint?: string;
}) {
  return (
    <fieldset class="ticks">
      <legend>{label}</legend>
      {hint ? <p class="hint">{hint}</p> : null}
      {of.map((one) => (
        <label key={one}>
          <input type="checkbox" name={name} value={one} defaultChecked={ticked.includes(one)} /> {one}
        </label>
      ))}
    </fieldset>
  );
}

/** The projects that something is bound to: all of them, or those that are ticked. */
export function ProjectTicks({ bound, mine }: { bound: string[] | null; mine: string[] | null }) {
  const read = useData<{ projects: Project[] }>("/projects?limit=1000&fields=slug", true);
  const [some, setSome] = useState(bound !== null || mine !== null);
  const slugs = [...new Set([...(read.data?.projects.map((one) => one.slug) ?? []), ...(bound ?? [])])];
  return (
    <fieldset class="ticks">
      <legend>Projects</legend>
      {mine === null ? (
        <label>
          <input type="checkbox" name="everywhere" checked={!some} onChange={() => setSome(!some)} /> all, also those to come
        </label>
      ) : null}
      {some
        ? slugs.map((one) => (
            <label key={one}>
              <input type="checkbox" name="projects" value={one} defaultChecked={bound?.includes(one) ?? false} /> {one}
            </label>
          ))
        : null}
    </fieldset>
  );
}

export function projectsOf(read: FormData): string[] | null {
  return read.get("everywhere") ? null : read.getAll("projects").map(String);
}

/** The text of a field; undefined where nothing was typed, so that it is not sent. */
export function typed(read: FormData, name: string): string | undefined {
  return String(read.get(name) ?? "").trim() || undefined;
}

/** Something that is shown this once, with a way to take it along. */
export function Secret({ title, text, note, kept }: { title: string; text: string; note: string; kept: () => void }) {
  return (
    <div class="secret" role="status">
      <h3>{title}</h3>
      <pre tabIndex={0} aria-label={title}>
        <code>{text}</code>
      </pre>
      <p class="quiet">{note}</p>
      <div class="acts">
        <Copy text={text} />
        <button type="button" class="plain" onClick={kept}>
          I have kept it
        </button>
      </div>
    </div>
  );
}

export function Copy({ text }: { text: string }) {
  const [said, setSaid] = useState("Copy");
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Mark the text and copy it by hand"); // a page without HTTPS may not write there
    }
  }
  return (
    <button type="button" class="primary" onClick={() => void copy()}>
      {said}
    </button>
  );
}

/** An act that asks once more before it is done; with `word` only who types it may. */
export function Sure({ act, about, word, does, label }: {
  act: string;
  about: string;
  word?: string;
  does: () => Promise<void>;
  /** What is said after the act to who cannot see what it stands beside. */
  label?: string;
}) {
  const [asked, setAsked] = useState(false);
  const [text, setText] = useState("");
  const sending = useSending();
  const first = useRef<HTMLButtonElement>(null);
  if (!asked) {
    return (
      <button type="button" ref={first} onClick={() => setAsked(true)}>
        {act}
        {label ? <span class="hidden"> {label}</span> : null}
      </button>
    );
  }
  return (
    <div class="sure" role="group" aria-label={about}>
      <span>{about}</span>
      {word ? (
        <input
          aria-label={`Type ${word} to confirm`}
          placeholder={word}
          value={text}
          autoFocus
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      ) : null}
      <button
        type="button"
        class="danger"
        disabled={sending.busy || (word !== undefined && text.trim() !== word)}
        autoFocus={!word}
        onClick={() =>
          void sending.run(async () => {
            await does();
            setAsked(false);
            setText("");
          })
        }
      >
        {act}
      </button>
      <button type="button" class="plain" onClick={() => setAsked(false)}>
        No
      </button>
      <p class="wrong" role="alert">
        {sending.wrong}
      </p>
    </div>
  );
}
