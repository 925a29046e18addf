// One's own account, and what an installation is run by: keys, people, projects, the audit log.
import type { ComponentChildren } from "preact";

import { to } from "../route";
import { credentials, may, me } from "../session";
import { Account } from "./settings-account";
import { Audit } from "./settings-audit";
import { Keys } from "./settings-keys";
import { Projects } from "./settings-projects";
import { Users } from "./settings-users";
import "./settings.css";

interface Section {
  name: string;
  title: string;
  /** The scope without which there is nothing to see. */
  scope?: string;
  shows: () => ComponentChildren;
}

const SECTIONS: Section[] = [
  { name: "account", title: "My account", shows: () => <Account /> },
  { name: "keys", title: "API keys", shows: () => <Keys /> },
  { name: "projects", title: "Projects", scope: "read:findings", shows: () => <Projects /> },
  { name: "users", title: "Users", scope: "admin", shows: () => <Users /> },
  { name: "audit", title: "Audit log", scope: "admin", shows: () => <Audit /> },
];

export function SettingsPage({ section }: { section: string }) {
  const here = SECTIONS.find((one) => one.name === (section || "account"));
  return (
    <div class="settings">
      <nav aria-label="Settings">
        <h1>Settings</h1>
        <ul>
          {SECTIONS.map((one) => (
            <li key={one.name}>
              <a href={to(`/settings/${one.name}`)} aria-current={one === here ? "page" : undefined}>
                {one.title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="section">
        {!here ? (
          <p>There is no such section.</p>
        ) : here.scope && !may(here.scope) ? (
          <Lacking scope={here.scope} title={here.title} />
        ) : (
          here.shows()
        )}
      </div>
    </div>
  );
}

/** Why something is not shown, and who may give what is missing. */
export function Lacking({ scope, title }: { scope: string; title: string }) {
  return (
    <>
      <h2>{title}</h2>
      <p class="quiet">
        This asks for the scope <code>{scope}</code>, which{" "}
        {credentials.value?.kind === "key" ? "this key" : `the role ${me.value?.role ?? ""}`} does not hold. An admin can give it.
      </p>
    </>
  );
}
