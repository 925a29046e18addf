// A finding beside the list: what it is, its code, what to do, what happened to it.
import { useEffect } from "preact/hooks";

import { useData } from "../data";
import { moment, percent, words } from "../format";
import { Code } from "../pieces/code";
import { History } from "../pieces/history";
import { Failure, Place, SeverityMark, StatusMark, Waiting } from "../pieces/marks";
import { change, route } from "../route";
import type { CodeContext, FindingDetail } from "../types";

interface Panel {
  id: string;
  decide: (status: string) => void;
  /** Asks why and for how long it is to be ignored. */
  ask: () => void;
  /** Changes when a decision was made. */
  version: string;
}

export function FindingPanel({ id, decide, ask, version }: Panel) {
  const read = useData<FindingDetail>(`/findings/${encodeURIComponent(id)}`);
  useEffect(read.reload, [version]);
  const of = read.stale ? null : read.data;
  return (
    <aside class="panel" aria-label="Finding">
      <button type="button" class="close" onClick={() => change({ finding: "" })}>
        <span aria-hidden="true">×</span>
        <span class="hidden">Close</span>
      </button>
      {of ? <Body of={of} decide={decide} ask={ask} /> : read.error ? <Failure error={read.error} /> : <Waiting />}
    </aside>
  );
}

function Body({ of, decide, ask }: { of: FindingDetail; decide: (status: string) => void; ask: () => void }) {
  const owners = of.ownership?.owners ?? [];
  return (
    <>
      <p class="top">
        <SeverityMark of={of.severity} />
        <StatusMark of={of.status} />
        <span class="quiet">{percent(of.confidence)} sure</span>
      </p>
      <h2>{of.description}</h2>
      <p>
        {of.function_name ? <span class="function">{of.function_name} </span> : null}
        <Place path={of.file_path} line={of.line} />
      </p>
      <div class="acts">
        {of.status === "open" ? (
          <>
            <button type="button" class="primary" onClick={() => decide("acknowledged")}>
              Acknowledge
            </button>
            <button type="button" onClick={() => decide("ignored")}>
              Ignore
            </button>
            <button type="button" aria-haspopup="dialog" onClick={ask}>
              Ignore…
            </button>
            <button type="button" onClick={() => decide("resolved")}>
              Resolve
            </button>
          </>
        ) : (
          <button type="button" onClick={() => decide("open")}>
            Open again
          </button>
        )}
      </div>
      <CodeOf finding={of} />
      {of.recommendation ? <p class="advice">{of.recommendation}</p> : null}
      <dl class="facts">
        <div>
          <dt>rule</dt>
          <dd>
            <a href={rule(of.rule_id)}>{of.rule_id}</a>
          </dd>
        </div>
        <div>
          <dt>analyzer</dt>
          <dd>{words(of.analyzer)}</dd>
        </div>
        <div>
          <dt>project</dt>
          <dd>{of.project}</dd>
        </div>
        {of.reason ? (
          <div>
            <dt>reason</dt>
            <dd>{words(of.reason)}</dd>
          </div>
        ) : null}
        {of.ignored_until ? (
          <div>
            <dt>ignored until</dt>
            <dd>{of.ignored_until === "incident" ? "it appears in an incident" : moment(of.ignored_until)}</dd>
          </div>
        ) : null}
        {of.cwe.length ? (
          <div>
            <dt>weakness</dt>
            <dd>{of.cwe.map((one) => `CWE-${one}`).join(", ")}</dd>
          </div>
        ) : null}
        {owners.length ? (
          <div>
            <dt>owners</dt>
            <dd>{owners.join(", ")}</dd>
          </div>
        ) : null}
        {of.incidents.length ? (
          <div>
            <dt>incidents</dt>
            <dd>{of.incidents.length}</dd>
          </div>
        ) : null}
      </dl>
      <h3>History</h3>
      <History of={of.history} />
    </>
  );
}

function CodeOf({ finding }: { finding: FindingDetail }) {
  const asked = new URLSearchParams({
    file_path: finding.file_path,
    line_number: String(finding.line),
    project: finding.project,
  });
  const context = useData<CodeContext>(`/iris/code-context?${asked}`, true);
  const of = context.stale ? null : context.data;
  const label = `${finding.file_path} around line ${finding.line}`;
  if (of?.found && of.code_snippet) {
    return <Code text={of.code_snippet} first={of.snippet_start_line ?? 1} line={finding.line} around={8} label={label} />;
  }
  if ((!of && !context.error) || !finding.code_snippet) {
    return null;
  }
  return (
    <pre class="raw" tabIndex={0} aria-label={label}>
      {finding.code_snippet}
    </pre>
  );
}

function rule(id: string): string {
  const made = new URLSearchParams(route.value.query);
  made.set("rule_id", id);
  return `/dashboard/findings?${made}`;
}
