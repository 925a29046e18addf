// The page at /dashboard: what fires now, why, and which line.
import { Fragment, render } from "preact";
import { useEffect } from "preact/hooks";

import { logout } from "./api";
import { useData } from "./data";
import * as entry from "./entry";
import { Help, asked } from "./help";
import * as live from "./live";
import { AlertPage } from "./pages/alert";
import { DeploymentPage } from "./pages/deployment";
import { DeploymentsPage } from "./pages/deployments";
import { FindingsPage } from "./pages/findings";
import { NowPage } from "./pages/now";
import { QualityPage } from "./pages/quality";
import { SettingsPage } from "./pages/settings";
import { SystemPage } from "./pages/system";
import { Interruption, TokenPage } from "./pages/token";
import { WebhookPage } from "./pages/webhook";
import { WebhooksPage } from "./pages/webhooks";
import { Empty } from "./pieces/marks";
import { Toast } from "./pieces/toast";
import * as router from "./route";
import { change, go, project, route, to } from "./route";
import { credentials, interrupted, me, person, refused } from "./session";
import "./style.css";
import * as theme from "./theme";
import type { Project } from "./types";

const TABS: [string, string, string][] = [
  ["now", "/", "Now"],
  ["findings", "/findings", "Findings"],
  ["quality", "/quality", "Quality"],
  ["deployments", "/deployments", "Deployments"],
  ["webhooks", "/webhooks", "Webhooks"],
  ["system", "/system", "System"],
];
const TITLES: Record<string, string> = { now: "Now", alerts: "Alert", findings: "Findings", quality: "Quality", deployments: "Deployments", webhooks: "Webhooks", system: "System", settings: "Settings" };
const LINKS = { live: "live", polling: "every 2 s", offline: "no answer" };

function App() {
  const { page, id } = route.value;
  useEffect(() => {
    document.title = `${TITLES[page] ?? "Nothing"} · Hefesto`;
  }, [page]);
  useKeys();
  if (refused.value !== null && !interrupted.value) {
    return <TokenPage />;
  }
  return (
    <Fragment key={person.value}>
      <a class="skip" href="#main">
        To the content
      </a>
      <Bar page={page} />
      <main id="main" tabIndex={-1}>
        <Page page={page} id={id} />
      </main>
      <Toast />
      <Help />
      <Interruption />
    </Fragment>
  );
}

function Page({ page, id }: { page: string; id: string }) {
  if (page === "now") {
    return <NowPage />;
  }
  if (page === "alerts" && id) {
    return <AlertPage key={id} id={id} />;
  }
  if (page === "findings") {
    return <FindingsPage />;
  }
  if (page === "quality") {
    return <QualityPage />;
  }
  if (page === "deployments") {
    return id ? <DeploymentPage key={id} id={id} /> : <DeploymentsPage />;
  }
  if (page === "webhooks") {
    return id ? <WebhookPage key={id} id={id} /> : <WebhooksPage />;
  }
  if (page === "system") {
    return <SystemPage />;
  }
  if (page === "settings") {
    return <SettingsPage section={id} />;
  }
  return (
    <>
      <h1 class="hidden">Nothing here</h1>
      <Empty title="There is no such page.">
        <a href={to("/")}>What is on fire now</a>
      </Empty>
    </>
  );
}

function Bar({ page }: { page: string }) {
  const projects = useData<{ projects: Project[] }>("/projects?limit=1000", true);
  const some = projects.data?.projects ?? [];
  const here = page === "alerts" ? "now" : page;
  return (
    <header class="bar">
      <a class="brand" href={to("/")} aria-label="Hefesto">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M16 3c1 6 8 9 8 16a8 8 0 0 1-16 0c0-3 2-6 4-8 0 2 1 4 3 4 1-4 0-8 1-12z" />
        </svg>
        <span>Hefesto</span>
      </a>
      <nav aria-label="Pages">
        {TABS.map(([name, path, title]) => (
          <a key={name} href={to(path)} aria-current={here === name ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div class="tools">
        {some.length > 1 || project.value ? (
          <label>
            <span class="hidden">Project</span>
            <select value={project.value} onChange={(event) => change({ project: event.currentTarget.value }, false)}>
              <option value="">all projects</option>
              {some.map((one) => (
                <option key={one.slug} value={one.slug}>
                  {one.slug}
                </option>
              ))}
            </select>
          </label>
        ) : null}
        <span class={`link ${live.link.value}`} role="status">
          <i aria-hidden="true" />
          {LINKS[live.link.value]}
        </span>
        <button type="button" class="icon" title="Light or dark (t)" onClick={theme.flip}>
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.500" />
            <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
          </svg>
          <span class="hidden">Light or dark</span>
        </button>
        <button type="button" class="icon keys" title="Keys (?)" onClick={() => (asked.value = true)}>
          ?<span class="hidden"> Keys</span>
        </button>
        <a class="icon" href={to("/settings")} aria-current={page === "settings" ? "page" : undefined} title="Settings">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path
              d="M2 4.500h6m4 0h2M2 11.500h2m4 0h6M8 4.500a2 2 0 1 0 4 0 2 2 0 1 0-4 0zM4 11.500a2 2 0 1 0 4 0 2 2 0 1 0-4 0z"
              fill="none"
              stroke="currentColor"
              stroke-width="1.500"
            />
          </svg>
          <span class="hidden">Settings{me.value ? ` of ${me.value.email ?? me.value.name}` : ""}</span>
        </a>
        {credentials.value ? (
          <button type="button" class="plain leave" onClick={() => void logout()}>
            Leave
          </button>
        ) : null}
      </div>
    </header>
  );
}

function useKeys(): void {
  useEffect(() => {
    let led = false;
    const press = (event: KeyboardEvent) => {
      const typing = (event.target as Element).matches("input:not([type=checkbox]), select, textarea");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || refused.value !== null) {
        return;
      }
      const tab = led ? TABS.find(([name]) => name.startsWith(event.key)) : undefined;
      led = event.key === "g";
      if (tab) {
        go(to(tab[1]));
      } else if (event.key === "?") {
        asked.value = true;
      } else if (event.key === "t") {
        theme.flip();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

theme.start();
router.start();
void entry.start().then(() => {
  live.start();
  render(<App />, document.getElementById("app") as HTMLElement);
});
