import { words } from "../format";
import type { Moment } from "../types";
import { Since } from "./marks";

/** What happened, the latest first. */
export function History({ of }: { of: Moment[] }) {
  const sorted = [...of].sort((one, other) => other.timestamp.localeCompare(one.timestamp));
  return (
    <ol class="history">
      {sorted.map((one, index) => (
        <li key={index}>
          <span class="what">
            <b>{words(one.action)}</b>
            {one.user ? ` by ${one.user}` : ""}
          </span>
          <span class="when">
            <Since at={one.timestamp} /> ago
          </span>
          {one.details ? <span class="details">{one.details}</span> : null}
        </li>
      ))}
    </ol>
  );
}
