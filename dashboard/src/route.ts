// The address is the state: what is shown can be sent to somebody, and the way back works.
import { computed, signal } from "@preact/signals";

const ROOT = "/dashboard";
const here = signal(location.pathname + location.search);

export const route = computed(() => {
  const url = new URL(here.value, location.origin);
  const parts = url.pathname.slice(ROOT.length).split("/").filter(Boolean).map(decoded);
  return { page: parts[0] ?? "now", id: parts[1] ?? "", query: url.searchParams };
});
/** The project that everything is narrowed down to; "" for all. */
export const project = computed(() => route.value.query.get("project") ?? "");

export function start(): void {
  addEventListener("popstate", () => {
    here.value = location.pathname + location.search;
  });
  document.addEventListener("click", follow);
}

/** An address of the page, with the project kept unless another is named. */
export function to(path: string, query: Record<string, string | undefined> = {}): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries({ project: project.value, ...query })) {
    if (value) {
      made.set(name, value);
    }
  }
  const text = made.toString();
  return ROOT + (path === "/" ? "" : path) + (text ? `?${text}` : "");
}

export function go(address: string, instead = false): void {
  if (address !== here.value) {
    history[instead ? "replaceState" : "pushState"](null, "", address);
    here.value = address;
  }
}

/** Change members of the present address's query; "" removes one. */
export function change(query: Record<string, string>, instead = true): void {
  const made = new URLSearchParams(route.value.query);
  for (const [name, value] of Object.entries(query)) {
    if (value) {
      made.set(name, value);
    } else {
      made.delete(name);
    }
  }
  const text = made.toString();
  go(location.pathname + (text ? `?${text}` : ""), instead);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function follow(event: MouseEvent): void {
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const link = (event.target as Element | null)?.closest?.("a");
  if (!plain || event.defaultPrevented || !link || link.target || link.origin !== location.origin) {
    return;
  }
  if (link.pathname === ROOT || link.pathname.startsWith(`${ROOT}/`)) {
    event.preventDefault();
    const before = location.pathname;
    go(link.pathname + link.search);
    if (before !== link.pathname) {
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    }
  }
}
