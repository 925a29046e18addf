// Small marks that say the same everywhere: severity, since when, how likely.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

import { moment, percent, since, words } from "../format";
import type { Severity } from "../types";

/** What time it is, for what tells how long ago something was. */
const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 1000);

const STEPS: Record<Severity, number> = { CRITICAL: 4, HIGH: 3, MEDIUM: 2, LOW: 1 };

/** Severity by word, by height and by colour: any one of them is enough. */
export function SeverityMark({ of, bare = false }: { of: Severity; bare?: boolean }) {
  const word = of.toLowerCase();
  return (
    <span class={`severity ${word}`}>
      <svg viewBox="0 0 16 12" aria-hidden="true">
        {[0, 1, 2, 3].map((step) => (
          <rect
            key={step}
            x={step * 4}
            y={9 - step * 3}
            width="3"
            height={3 + step * 3}
            rx="0.800"
            class={step < STEPS[of] ? "on" : "off"}
          />
        ))}
      </svg>
      <span class={bare ? "hidden" : ""}>{word}</span>
    </span>
  );
}

export function StatusMark({ of }: { of: string }) {
  return <span class={`status ${of}`}>{words(of)}</span>;
}

export function Since({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {since(at, now.value)}
    </time>
  );
}

export function Likely({ share }: { share: number }) {
  return (
    <span class="likely">
      <span class="track" aria-hidden="true">
        <span class="fill" style={{ width: `${Math.max(2, share * 100)}%` }} />
      </span>
      <span class="figure">{percent(share)}</span>
    </span>
  );
}

/** A path that keeps its end where room is short, with a line. */
export function Place({ path, line }: { path: string; line?: number | null | undefined }) {
  const at = path.lastIndexOf("/") + 1;
  return (
    <span class="place" title={line ? `${path}:${line}` : path}>
      {at ? <span class="folder">{path.slice(0, at)}</span> : null}
      <span class="file">
        {path.slice(at)}
        {line ? <span class="line">:{line}</span> : null}
      </span>
    </span>
  );
}

/** What to do where there is nothing to see. */
export function Empty({ title, children, command }: { title: string; children?: ComponentChildren; command?: string }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children ? <p>{children}</p> : null}
      {command ? (
        <pre tabIndex={0} aria-label="Command">
          <code>{command}</code>
        </pre>
      ) : null}
    </div>
  );
}

export function Failure({ error, retry }: { error: { message: string; status: number }; retry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{error.status === 403 ? `This is not for you to see: ${error.message}` : error.message}</p>
      {retry ? (
        <button type="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

export function Waiting() {
  return (
    <div class="waiting" role="status">
      <span class="hidden">Reading…</span>
      <i />
      <i />
      <i />
    </div>
  );
}
