// Making a webhook or changing one; what the service refuses is told at its field.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { ApiError, patch, post } from "../api";
import { useData } from "../data";
import { words } from "../format";
import { EVENTS, FORMATS, PAGED, type Format, type Told, type Webhook } from "../outgoing";
import { Modal } from "../pieces/modal";
import { complain, tell } from "../pieces/toast";
import { project } from "../route";
import type { Project } from "../types";

const LABELS: Record<Format, string> = { standard: "Standard", slack: "Slack", pagerduty: "PagerDuty" };
const ABOUT: Record<Format, string> = {
  standard: "Signed JSON, as Standard Webhooks has it: any of its libraries verifies it.",
  slack: "Text and blocks for an incoming webhook of Slack, Mattermost, or Discord with /slack at its end.",
  pagerduty: "Events of version 2: alerts trigger, acknowledge and resolve incidents.",
};
const PAGER = "https://events.pagerduty.com/v2/enqueue";

interface Made {
  of: Webhook | null;
  close: () => void;
  done: (told: Told | Webhook) => void;
}

export function WebhookForm({ of, close, done }: Made) {
  const [format, setFormat] = useState<Format>(of?.format ?? "standard");
  const [url, setUrl] = useState(of?.url ?? "");
  const [events, setEvents] = useState(new Set(of?.events));
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const projects = useData<{ projects: Project[] }>("/projects?limit=1000", true);
  const known = format === "pagerduty" ? PAGED : EVENTS;

  function choose(next: Format): void {
    setFormat(next);
    if (next === "pagerduty") {
      setUrl((was) => was || PAGER);
      setEvents((was) => new Set([...was].filter((one) => PAGED.includes(one))));
    } else if (url === PAGER) {
      setUrl("");
    }
  }

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    const body: Record<string, unknown> = {
      name: text("name"),
      url: url.trim(),
      description: text("description"),
      format,
      events: [...events],
      health_check_interval_seconds: Number(text("health_check_interval_seconds")) || 300,
      project: text("project") || null,
    };
    if (format === "pagerduty" && text("routing_key")) {
      body["routing_key"] = text("routing_key");
    }
    setBusy(true);
    try {
      const told = of ? await patch<Webhook>(`/webhooks/${of.id}`, body) : await post<Told>("/webhooks", body);
      tell(of ? `Changed: ${told.name}` : `Made: ${told.name}`);
      done(told);
    } catch (failure) {
      const found = atFields(failure);
      setWrong(found);
      if (Object.keys(found).length === 0) {
        complain(failure);
      }
      const first = Object.keys(found)[0];
      requestAnimationFrame(() => form.querySelector<HTMLElement>(`[name="${first}"]`)?.focus());
    }
    setBusy(false);
  }

  return (
    <Modal title={of ? `Change ${of.name}` : "A new webhook"} close={close}>
      <form class="hookform" noValidate onSubmit={(event) => void submit(event)}>
        <Field name="name" label="Name" wrong={wrong}>
          {(also) => <input name="name" required maxLength={200} defaultValue={of?.name ?? ""} autoFocus {...also} />}
        </Field>
        <fieldset>
          <legend>Format</legend>
          <div class="ways">
            {FORMATS.map((one) => (
              <button key={one} type="button" aria-pressed={one === format} onClick={() => choose(one)}>
                {LABELS[one]}
              </button>
            ))}
          </div>
          <p class="quiet">{ABOUT[format]}</p>
        </fieldset>
        <Field name="url" label="Address" wrong={wrong}>
          {(also) => (
            <input
              name="url"
              type="url"
              required
              placeholder="https://hooks.example.com/in"
              value={url}
              spellcheck={false}
              onInput={(event) => setUrl(event.currentTarget.value)}
              {...also}
            />
          )}
        </Field>
        {format === "pagerduty" ? (
          <Field name="routing_key" label="Routing key of the integration" wrong={wrong}>
            {(also) => (
              <input
                name="routing_key"
                autocomplete="off"
                spellcheck={false}
                placeholder={of?.format === "pagerduty" ? "stays as it is" : ""}
                {...also}
              />
            )}
          </Field>
        ) : null}
        <fieldset aria-describedby={wrong["events"] ? "wrong-events" : undefined}>
          <legend>Told of</legend>
          <label class="check all">
            <input type="checkbox" checked={events.size === 0} onChange={() => setEvents(new Set())} />
            {format === "pagerduty" ? "all that somebody is woken for" : "everything"}
          </label>
          <div class="events">
            {known.map((one) => (
              <label key={one} class="check">
                <input
                  type="checkbox"
                  name="events"
                  checked={events.has(one)}
                  onChange={() =>
                    setEvents((was) => {
                      const made = new Set(was);
                      if (!made.delete(one)) {
                        made.add(one);
                      }
                      return made;
                    })
                  }
                />
                {words(one.replace(".", " "))}
              </label>
            ))}
          </div>
          <Wrong name="events" of={wrong} />
        </fieldset>
        <div class="pair">
          <Field name="project" label="Of the project" wrong={wrong}>
            {(also) => (
              <select key={projects.data ? "read" : "reading"} name="project" defaultValue={of ? (of.project ?? "") : project.value} {...also}>
                <option value="">all projects</option>
                {projects.data?.projects.map((one) => (
                  <option key={one.slug} value={one.slug} selected={one.slug === (of ? of.project : project.value)}>
                    {one.slug}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field name="health_check_interval_seconds" label="Probed every … seconds" wrong={wrong}>
            {(also) => (
              <input
                name="health_check_interval_seconds"
                type="number"
                min="10"
                max="86400"
                defaultValue={String(of?.health_check_interval_seconds ?? 300)}
                {...also}
              />
            )}
          </Field>
        </div>
        <Field name="description" label="Description" wrong={wrong}>
          {(also) => <input name="description" maxLength={2000} defaultValue={of?.description ?? ""} {...also} />}
        </Field>
        <div class="acts">
          <button type="submit" class="primary" disabled={busy}>
            {of ? "Change it" : "Make it"}
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Modal>
  );
}

type Also = { id: string; "aria-invalid"?: "true"; "aria-describedby"?: string };

function Field(of: { name: string; label: string; wrong: Record<string, string>; children: (also: Also) => ComponentChildren }) {
  const id = `field-${of.name}`;
  const also: Also = of.wrong[of.name] ? { id, "aria-invalid": "true", "aria-describedby": `wrong-${of.name}` } : { id };
  return (
    <div class="field">
      <label for={id}>{of.label}</label>
      {of.children(also)}
      <Wrong name={of.name} of={of.wrong} />
    </div>
  );
}

function Wrong({ name, of }: { name: string; of: Record<string, string> }) {
  return of[name] ? (
    <p class="wrong" id={`wrong-${name}`} role="alert">
      {of[name]}
    </p>
  ) : null;
}

/** What the service says of each field. */
function atFields(failure: unknown): Record<string, string> {
  const told = failure instanceof ApiError ? failure.details["errors"] : null;
  const found: Record<string, string> = {};
  for (const one of Array.isArray(told) ? (told as { field?: string; message?: string }[]) : []) {
    const name = one.field?.split(".")[0];
    if (name && one.message) {
      found[name] ??= one.message;
    }
  }
  return found;
}
