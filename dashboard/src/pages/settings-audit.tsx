// Who changed what, and what was refused to whom: searched, exported, and proved to be as it was written.
import { useState } from "preact/hooks";

import { download, get } from "../api";
import { useData } from "../data";
import { count, moment } from "../format";
import { Narrowed, Search } from "../pieces/filters";
import { useSending } from "../pieces/form";
import { save } from "../pieces/keep";
import { Failure, Waiting } from "../pieces/marks";
import { complain } from "../pieces/toast";
import { change, route } from "../route";
import type { Pagination } from "../types";

interface Entry {
  id: string;
  timestamp: string;
  user_id: string | null;
  user_name: string;
  action: string;
  resource_type: string | null;
  resource_id: string | null;
  project: string | null;
  outcome: "success" | "refused" | "failed";
  changes: Record<string, unknown> | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
}

interface Listed {
  audit_logs: Entry[];
  total_count: number;
  pagination: Pagination & { total_exact?: boolean };
}

interface Verdict {
  valid: boolean;
  checked: number;
  first_bad: string | null;
  reason: string | null;
  seal: string | null;
}

const FILTERS = ["q", "outcome", "action", "resource_type", "resource_id", "user_id", "ip_address", "request_id", "start_date", "end_date"];

export function Audit() {
  const query = route.value.query;
  const asked = new URLSearchParams();
  for (const name of [...FILTERS, "project"]) {
    const value = query.get(name);
    if (value) {
      asked.set(name, value);
    }
  }
  const path = `/audit-logs?limit=50&${asked}`;
  const read = useData<Listed>(path, true);
  const [more, setMore] = useState<{ path: string; items: Entry[]; next: string | null }>({ path, items: [], next: null });
  const later = more.path === path ? more : { path, items: [], next: null };
  const next = later.items.length ? later.next : (read.data?.pagination.next_cursor ?? null);
  const items = [...(read.data?.audit_logs ?? []), ...later.items];

  async function readOn(): Promise<void> {
    try {
      const page = await get<Listed>(`${path}&cursor=${encodeURIComponent(next ?? "")}`);
      setMore({ path, items: [...later.items, ...page.audit_logs], next: page.pagination.has_more ? page.pagination.next_cursor : null });
    } catch (failure) {
      complain(failure);
    }
  }

  async function take(format: "csv" | "jsonl"): Promise<void> {
    try {
      const blob = await download(`/audit-logs/export?format=${format}&${asked}`);
      save(`hefesto-audit.${format}`, blob.type, await blob.text());
    } catch (failure) {
      complain(failure);
    }
  }

  const total = read.data?.total_count ?? 0;
  return (
    <section aria-labelledby="audit" class="audit">
      <div class="head">
        <h2 id="audit">
          Audit log <span class="quiet figure">{read.data ? `${count(total)}${read.data.pagination.total_exact === false ? "+" : ""}` : ""}</span>
        </h2>
        <div class="acts">
          <button type="button" onClick={() => void take("csv")}>
            Export CSV
          </button>
          <button type="button" onClick={() => void take("jsonl")}>
            Export JSONL
          </button>
        </div>
      </div>
      <Chain />
      <Filters />
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {!read.data && !read.error ? <Waiting /> : null}
      {read.data && items.length === 0 ? (
        <p class="quiet">
          {FILTERS.some((name) => query.has(name)) ? "No entry fits these filters." : "Nothing was changed or refused yet."}
        </p>
      ) : null}
      <ol class={read.stale ? "log stale" : "log"}>
        {items.map((one) => (
          <Line key={one.id} of={one} />
        ))}
      </ol>
      {next && items.length ? (
        <button type="button" class="more" onClick={() => void readOn()}>
          More
        </button>
      ) : null}
    </section>
  );
}

function Line({ of }: { of: Entry }) {
  const [open, setOpen] = useState(false);
  const what = [of.resource_type, of.resource_id].filter(Boolean).join(" ");
  return (
    <li class={of.outcome}>
      <button type="button" class="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <time class="quiet" dateTime={of.timestamp}>
          {moment(of.timestamp)}
        </time>
        <b>{of.user_name}</b>
        <code>{of.action}</code>
        <span class="quiet what">{what}</span>
        {of.outcome === "success" ? null : <span class="tag hot">{of.outcome}</span>}
      </button>
      {open ? (
        <div class="within">
          <dl class="facts">
            {(["project", "ip_address", "request_id", "user_id", "resource_id", "user_agent"] as const).map((name) =>
              of[name] ? (
                <div key={name}>
                  <dt>{name.replaceAll("_", " ")}</dt>
                  <dd>
                    {FILTERS.includes(name) ? (
                      <button type="button" class="chip" title="Show only these" onClick={() => change({ [name]: String(of[name]) })}>
                        {of[name]}
                      </button>
                    ) : (
                      of[name]
                    )}
                  </dd>
                </div>
              ) : null,
            )}
          </dl>
          {of.changes ? (
            <pre class="raw" tabIndex={0} aria-label="Changes">
              {JSON.stringify(of.changes, null, 2)}
            </pre>
          ) : null}
        </div>
      ) : null}
    </li>
  );
}

function Filters() {
  const query = route.value.query;
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <Search placeholder="Search: action, user, resource, changes" most={200} />
      <label>
        <span class="hidden">Outcome</span>
        <select value={query.get("outcome") ?? ""} onChange={(event) => change({ outcome: event.currentTarget.value })}>
          <option value="">outcome</option>
          {["success", "refused", "failed"].map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      {["start_date", "end_date"].map((name) => (
        <label key={name} class="date">
          <span>{name === "start_date" ? "from" : "to"}</span>
          <input type="date" value={query.get(name) ?? ""} onChange={(event) => change({ [name]: event.currentTarget.value })} />
        </label>
      ))}
      <Narrowed by={FILTERS.slice(2, 8)} />
    </form>
  );
}

/** Whether every entry is as it was written. */
function Chain() {
  const sending = useSending();
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  return (
    <div class="chain">
      <button
        type="button"
        disabled={sending.busy}
        onClick={() => void sending.run(async () => setVerdict(await get<Verdict>("/audit-logs/verify")))}
      >
        {sending.busy ? "Looking at every entry…" : "Verify the chain"}
      </button>
      <p role="status">
        {verdict ? (
          verdict.valid ? (
            <span class="status resolved">All {count(verdict.checked)} entries are as they were written.</span>
          ) : (
            <span class="wrong">
              Something was changed: {verdict.reason}
              {verdict.first_bad ? ` (first at ${verdict.first_bad})` : ""}
            </span>
          )
        ) : null}
        {verdict?.seal ? <code class="quiet"> seal {verdict.seal}</code> : null}
        <span class="wrong">{sending.wrong}</span>
      </p>
    </div>
  );
}
