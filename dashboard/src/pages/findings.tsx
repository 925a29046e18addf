// Findings to decide about, by keyboard where one likes: the filters stand in the address.
import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { get, patch } from "../api";
import { useData } from "../data";
import { count, many, words } from "../format";
import { Narrowed, Search } from "../pieces/filters";
import { IgnoreDialog, type Ignoring } from "../pieces/ignore";
import { Empty, Failure, Place, SeverityMark, Since, StatusMark, Waiting } from "../pieces/marks";
import { complain, tell, undo } from "../pieces/toast";
import { change, project, route } from "../route";
import { ANALYZERS, SEVERITIES, STATUSES, type Finding, type Pagination } from "../types";
import { FindingPanel } from "./finding";

const PAGE = 50;
const FILTERS = ["q", "severity", "status", "analyzer", "rule_id", "file_path"];
const DONE: Record<string, string> = { acknowledged: "Acknowledged", ignored: "Ignored", resolved: "Resolved", open: "Open again" };
const NO_PRESSES = "input, select, textarea, [contenteditable]";

interface Listed {
  findings: Finding[];
  total_count: number;
  pagination: Pagination;
}

export function FindingsPage() {
  const query = route.value.query;
  const asked = new URLSearchParams({ limit: String(PAGE), sort: query.get("sort") ?? "-severity" });
  for (const name of [...FILTERS, "project"]) {
    const value = query.get(name);
    if (value) {
      asked.set(name, value);
    }
  }
  const path = `/findings?${asked}`;
  const first = useData<Listed>(path, true);
  const [more, setMore] = useState<{ path: string; items: Finding[]; next: string | null }>({ path, items: [], next: null });
  // Signals, since keys come faster than the page is drawn: each sees what the one before has done.
  const moved = useSignal(new Map<string, string>());
  const picked = useSignal(new Set<string>());
  const at = useSignal(0);
  const asking = useSignal<string[] | null>(null);
  const rows = useRef<HTMLUListElement>(null);

  const later = more.path === path ? more : { path, items: [], next: null };
  const wanted = query.get("status") ?? "open";
  const fits = (status: string) => wanted === "all" || wanted.split(",").includes(status);
  const read = unique([...(first.data?.findings ?? []), ...later.items]);
  const known = useRef(read);
  known.current = read;
  const left = () =>
    known.current
      .map((one) => ({ ...one, status: moved.value.get(one.id) ?? one.status }))
      .filter((one) => fits(one.status));
  const marked = () => {
    const shown = left();
    return shown[Math.min(at.value, shown.length - 1)];
  };
  const chosen = () => (picked.value.size ? [...picked.value] : [marked()?.id ?? ""].filter(Boolean));
  const items = left();
  const here = marked();
  const gone = read.length - items.length;
  const next = later.items.length ? later.next : (first.data?.pagination.next_cursor ?? null);
  const open = query.get("finding") ?? "";

  useEffect(() => {
    at.value = 0;
    picked.value = new Set();
    moved.value = new Map();
  }, [path]);

  const readOn = useCallback(async () => {
    if (!next) {
      return;
    }
    try {
      const page = await get<Listed>(`${path}&cursor=${encodeURIComponent(next)}`);
      const cursor = page.pagination.has_more ? page.pagination.next_cursor : null;
      setMore({ path, items: [...later.items, ...page.findings], next: cursor });
    } catch (failure) {
      complain(failure);
    }
  }, [path, next, later.items]);

  async function decide(ids: string[], status: string, back = true, how: Ignoring = {}): Promise<void> {
    if (ids.length === 0) {
      return;
    }
    const before = new Map(ids.map((id) => [id, moved.value.get(id) ?? known.current.find((one) => one.id === id)?.status ?? "open"]));
    const stay = (kept: string[]) => {
      moved.value = new Map([...moved.value, ...kept.map((id) => [id, before.get(id) ?? "open"] as const)]);
    };
    moved.value = new Map([...moved.value, ...ids.map((id) => [id, status] as const)]);
    picked.value = new Set();
    try {
      const told = await patch<{ failed: number; results: { id: string; success: boolean }[] }>("/findings", { ids, status, ...how });
      const done = ids.length - told.failed;
      if (told.failed) {
        stay(told.results.filter((one) => !one.success).map((one) => one.id));
      }
      const text = `${DONE[status] ?? words(status)}: ${many(done, "finding")}`;
      tell(told.failed ? `${text}; ${told.failed} could not be changed` : text, back ? () => restore(before) : null, told.failed > 0);
    } catch (failure) {
      stay(ids);
      complain(failure);
    }
  }

  async function restore(before: Map<string, string>): Promise<void> {
    for (const status of new Set(before.values())) {
      await decide([...before].filter(([, was]) => was === status).map(([id]) => id), status, false);
    }
  }

  const keys: Record<string, () => void> = {
    j: () => (at.value = Math.max(0, Math.min(left().length - 1, at.value + 1))),
    k: () => (at.value = Math.max(0, Math.min(left().length, at.value) - 1)),
    x: () => toggle(marked()?.id),
    a: () => void decide(chosen(), "acknowledged"),
    i: () => void decide(chosen(), "ignored"),
    I: () => ask(chosen()),
    r: () => void decide(chosen(), "resolved"),
    o: () => change({ finding: marked()?.id ?? "" }, false),
    Enter: () => change({ finding: marked()?.id ?? "" }, false),
    u: undo,
    "*": () => (picked.value = picked.value.size ? new Set() : new Set(left().map((one) => one.id))),
    Escape: () => (route.value.query.get("finding") ? change({ finding: "" }) : (picked.value = new Set())),
    "/": () => document.getElementById("q")?.focus(),
  };
  const does = useRef(keys);
  does.current = keys;

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
        return;
      }
      if (target.matches(NO_PRESSES) && !target.matches("[type=checkbox]")) {
        if (event.key === "Escape") {
          (target as HTMLElement).blur();
        }
        return;
      }
      if (event.key === "Enter" && target.closest("a, button, summary")) {
        return;
      }
      const act = does.current[event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);

  useEffect(() => {
    rows.current?.querySelector(".here")?.scrollIntoView({ block: "nearest" });
    if (at.value > items.length - 10 && next) {
      void readOn();
    }
  }, [at.value, items.length]);

  function ask(ids: string[]): void {
    asking.value = ids.length ? ids : null;
  }

  function toggle(id: string | undefined): void {
    if (id) {
      const made = new Set(picked.value);
      if (!made.delete(id)) {
        made.add(id);
      }
      picked.value = made;
    }
  }

  const total = Math.max(0, (first.data?.total_count ?? 0) - gone);
  return (
    <div class={open ? "findings split" : "findings"}>
      <div class="list">
        <header>
          <h1>
            <span class="figure">{first.data ? count(total) : "…"}</span> findings
          </h1>
          <Filters />
        </header>
        <div class="bulk" role="toolbar" aria-label="Decide about the selected findings">
          <span class="quiet figure">{picked.value.size ? `${count(picked.value.size)} selected` : "the marked one"}</span>
          <button type="button" disabled={!here} onClick={keys["a"]}>
            Acknowledge <kbd>a</kbd>
          </button>
          <button type="button" disabled={!here} onClick={keys["i"]}>
            Ignore <kbd>i</kbd>
          </button>
          <button type="button" disabled={!here} aria-haspopup="dialog" title="Ignore with a reason, or for a time (Shift+I)" onClick={keys["I"]}>
            Ignore… <kbd>I</kbd>
          </button>
          <button type="button" disabled={!here} onClick={keys["r"]}>
            Resolve <kbd>r</kbd>
          </button>
        </div>
        {first.error ? <Failure error={first.error} retry={first.reload} /> : null}
        {!first.data && !first.error ? <Waiting /> : null}
        {first.data && items.length === 0 ? <Nothing filtered={FILTERS.some((name) => query.has(name))} /> : null}
        <ul class={first.stale ? "rows stale" : "rows"} ref={rows} aria-label="Findings">
          {items.map((one, index) => (
            <li
              key={one.id}
              class={`${one.id === here?.id ? "here" : ""} ${one.id === open ? "open" : ""}`}
              aria-current={one.id === here?.id ? "true" : undefined}
              onClick={() => (at.value = index)}
            >
              <label>
                <input type="checkbox" checked={picked.value.has(one.id)} onChange={() => toggle(one.id)} />
                <span class="hidden">Select: {one.description}</span>
              </label>
              <SeverityMark of={one.severity} bare />
              <a href={addressOf(one.id)}>
                <span class="what">{one.description}</span>
                <span class="sub">
                  <Place path={one.file_path} line={one.line} />
                  <span class="quiet rule">{one.rule_id}</span>
                </span>
              </a>
              <span class="quiet age">
                {one.status === "open" ? <Since at={one.first_seen} /> : <StatusMark of={one.status} />}
              </span>
            </li>
          ))}
        </ul>
        {next && items.length ? (
          <button type="button" class="more" onClick={() => void readOn()}>
            More
          </button>
        ) : null}
      </div>
      {open ? <FindingPanel id={open} decide={(status) => void decide([open], status)} ask={() => ask([open])} version={moved.value.get(open) ?? ""} /> : null}
      {asking.value ? (
        <IgnoreDialog
          ids={asking.value}
          done={(how) => void decide(asking.value ?? [], "ignored", true, how)}
          close={() => (asking.value = null)}
        />
      ) : null}
    </div>
  );
}

function addressOf(id: string): string {
  const made = new URLSearchParams(route.value.query);
  made.set("finding", id);
  return `/dashboard/findings?${made}`;
}

function unique(some: Finding[]): Finding[] {
  return [...new Map(some.map((one) => [one.id, one])).values()];
}

function Filters() {
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <Search id="q" most={500} />
      <Choice name="severity" all="severity" of={SEVERITIES} />
      <Choice name="status" all="open" of={[...STATUSES.slice(1), "all"]} />
      <Choice name="analyzer" all="analyzer" of={ANALYZERS} />
      <Narrowed by={["rule_id", "file_path"]} />
    </form>
  );
}

function Choice({ name, all, of }: { name: string; all: string; of: string[] }) {
  return (
    <label>
      <span class="hidden">{name}</span>
      <select
        value={route.value.query.get(name) ?? ""}
        onChange={(event) => change({ [name]: event.currentTarget.value })}
      >
        <option value="">{all}</option>
        {of.map((one) => (
          <option key={one} value={one}>
            {words(one.toLowerCase())}
          </option>
        ))}
      </select>
    </label>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return <Empty title="Nothing fits these filters." />;
  }
  const where = project.value ? `, "project": "${project.value}"` : "";
  return (
    <Empty
      title="Nothing stands open."
      command={`curl ${location.origin}/api/v1/analyze -H 'Content-Type: application/json' \\\n  -d '{"path": "."${where}}'`}
    >
      Either all is well, or nothing was analysed yet:
    </Empty>
  );
}
