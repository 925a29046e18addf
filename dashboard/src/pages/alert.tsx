// One alert: the trace with what is known of each line, who is suspected and why, and what people said.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { post } from "../api";
import { brought } from "../carried";
import { useAwaited, useData } from "../data";
import { count, hash, moment, nameOf, percent, tail } from "../format";
import { Advised } from "../pieces/advice";
import { Code } from "../pieces/code";
import { EvidenceBars } from "../pieces/evidence";
import { History } from "../pieces/history";
import { Failure, Likely, Place, SeverityMark, Since, StatusMark, Waiting } from "../pieces/marks";
import { Rate } from "../pieces/rate";
import { complain, tell } from "../pieces/toast";
import { to } from "../route";
import type { AlertDetail, CodeContext, ContextFinding, Correlation, Frame, Suspect } from "../types";
import { Act } from "./now";

const OPENED = 3; // frames of the project that show their code at once
const AROUND = 4;

export function AlertPage({ id }: { id: string }) {
  const alert = useData<AlertDetail>(`/alerts/${encodeURIComponent(id)}`);
  const correlation = alert.data?.correlation_id;
  const why = useData<Correlation>(correlation ? `/iris/correlations/${correlation}` : null);
  const isAwaited = alert.data && !correlation && Date.now() - Date.parse(alert.data.first_seen) < 60_000;
  useAwaited(isAwaited ? id : "", alert.reload);
  if (!alert.data || alert.stale) {
    return alert.error ? <Failure error={alert.error} retry={alert.reload} /> : <Waiting />;
  }
  const of = brought(alert.data, alert.readAt);
  const known = why.stale ? null : why.data;
  return (
    <article class="alert">
      <Head of={of} why={known} changed={alert.reload} />
      <div class="columns">
        <div>
          <Rate id={of.id} />
          <section aria-labelledby="trace">
            <h2 id="trace">Trace</h2>
            {correlation && !known && !why.error ? <Waiting /> : <Trace of={of} why={known} />}
          </section>
        </div>
        <div class="side">
          <section aria-labelledby="suspects">
            <h2 id="suspects">Suspects</h2>
            {known ? (
              <Suspects why={known} changed={why.reload} />
            ) : (
              <p class="quiet">{correlation ? "Reading…" : "The cause is being looked for."}</p>
            )}
          </section>
          {known?.matching_findings.length ? (
            <section aria-labelledby="matches">
              <h2 id="matches">Findings that fit</h2>
              <ul class="lines">
                {known.matching_findings.map((one) => (
                  <li key={one.finding_id}>
                    <SeverityMark of={one.severity} bare />
                    <div>
                      <a href={to("/findings", { finding: one.finding_id, status: "all" })}>{one.description}</a>
                      <Place path={one.file_path} line={one.line_number} />
                      <span class="quiet">{one.match_reason}</span>
                    </div>
                    <span class="figure quiet">{percent(one.match_confidence)}</span>
                  </li>
                ))}
              </ul>
            </section>
          ) : null}
          {known?.suspect_commits.length ? (
            <section aria-labelledby="commits">
              <h2 id="commits">Commits</h2>
              <ul class="lines">
                {known.suspect_commits.map((one) => (
                  <li key={one.commit_hash}>
                    <code>{hash(one.commit_hash)}</code>
                    <div>
                      <span>{one.message.split("\n")[0]}</span>
                      <span class="quiet">
                        {one.author}
                        {one.timestamp ? `, ${moment(one.timestamp)}` : ""}
                      </span>
                    </div>
                    <span class="figure quiet">{percent(one.score)}</span>
                  </li>
                ))}
              </ul>
            </section>
          ) : null}
          {known?.recommended_actions.length ? (
            <section aria-labelledby="actions">
              <h2 id="actions">What to do</h2>
              <ol class="todo">
                {known.recommended_actions.map((one) => (
                  <li key={one}>{one}</li>
                ))}
              </ol>
            </section>
          ) : null}
          {known ? <Advised of={known.correlation_id} /> : null}
          <section aria-labelledby="history">
            <h2 id="history">History</h2>
            <History of={of.history} />
          </section>
        </div>
      </div>
    </article>
  );
}

function Head({ of, why, changed }: { of: AlertDetail; why: Correlation | null; changed: () => void }) {
  const [before, name] = tail(nameOf(of));
  const last = lastLine(of);
  const facts: [string, string | null][] = [
    ["service", of.service_name],
    ["environment", of.environment],
    ["project", of.project],
    ["running", of.release ?? (why?.deployed?.commit_hash ? hash(why.deployed.commit_hash) : null)],
    ["users", of.affected_users === null ? null : count(of.affected_users)],
    ["source", of.source],
  ];
  return (
    <header class="head">
      <p class="top">
        <SeverityMark of={of.severity} />
        <StatusMark of={of.status} />
        <span class="times">
          <b class="figure">{count(of.occurrence_count)}×</b> since <Since at={of.first_seen} />, last{" "}
          <Since at={of.last_seen} /> ago
        </span>
      </p>
      <h1>
        <span class="module">{before}</span>
        {name}
      </h1>
      {last ? <p class="message">{last}</p> : null}
      {why?.suggested_root_cause ? <p class="verdict">{why.suggested_root_cause}</p> : null}
      <dl class="facts">
        {facts.map(([label, value]) =>
          value ? (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
        {why?.cost_estimate ? (
          <div>
            <dt>cost</dt>
            <dd title={why.cost_estimate.calculation}>
              $ {count(why.cost_estimate.estimated_revenue_impact_usd)}
            </dd>
          </div>
        ) : null}
      </dl>
      <div class="acts">
        {of.status === "pending" ? <Act of={of} to="acknowledge" changed={changed} primary /> : null}
        {of.status !== "resolved" ? <Act of={of} to="resolve" changed={changed} /> : null}
        {of.regression_of ? <a href={to(`/alerts/${of.regression_of}`)}>The same was resolved before</a> : null}
        {of.links.map((one) =>
          /^https?:\/\//i.test(one.href) ? (
            <a key={one.href} href={one.href} target="_blank" rel="noreferrer noopener">
              {one.text || one.href}
            </a>
          ) : null,
        )}
      </div>
    </header>
  );
}

/** What the error says: the sender's message, else the trace's last line. */
function lastLine(of: AlertDetail): string {
  if (of.message && of.message !== of.alert_id && of.message !== nameOf(of)) {
    return of.message;
  }
  const name = nameOf(of);
  const told = of.stacktrace?.split("\n").findLast((line) => line.startsWith(name));
  return told?.slice(name.length).replace(/^:\s*/, "") ?? of.description;
}

function Trace({ of, why }: { of: AlertDetail; why: Correlation | null }) {
  const frames = [...(why?.frames ?? [])].reverse();
  const suspected = new Set(why?.suspect_functions.slice(0, 1).map((one) => `${one.file_path}:${one.line_number}`));
  const ours = frames.filter((one) => one.project_path && one.line);
  const opened = new Set(ours.slice(0, OPENED));
  if (frames.length === 0) {
    return of.stacktrace ? (
      <pre class="raw" tabIndex={0} aria-label="Trace as it came">
        {of.stacktrace}
      </pre>
    ) : (
      <p class="quiet">The sender told of no trace.</p>
    );
  }
  return (
    <>
      <p class="quiet">Where it broke comes first.</p>
      <ol class="trace">
        {frames.map((frame, index) => (
          <FrameRow
            key={index}
            frame={frame}
            project={of.project}
            commit={why?.deployed?.commit_hash ?? null}
            crash={index === 0}
            suspected={suspected.has(`${frame.project_path}:${frame.line}`)}
            open={opened.has(frame)}
          />
        ))}
      </ol>
      {of.stacktrace ? (
        <details>
          <summary>As it came</summary>
          <pre class="raw" tabIndex={0} aria-label="Trace as it came">
            {of.stacktrace}
          </pre>
        </details>
      ) : null}
    </>
  );
}

interface RowOf {
  frame: Frame;
  project: string;
  commit: string | null;
  crash: boolean;
  suspected: boolean;
  open: boolean;
}

function FrameRow({ frame, project, commit, crash, suspected, open: first }: RowOf) {
  const [open, setOpen] = useState(first);
  const path = frame.project_path ?? frame.file ?? "?";
  const title = (
    <>
      <span class="function">{frame.function ?? "?"}</span>
      <Place path={path} line={frame.line} />
      {crash ? <span class="tag">broke here</span> : null}
      {suspected ? <span class="tag hot">top suspect</span> : null}
    </>
  );
  if (!frame.project_path || !frame.line) {
    return <li class="frame foreign">{title}</li>;
  }
  return (
    <li class={suspected ? "frame hot" : "frame"}>
      <button type="button" class="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        {title}
      </button>
      {open ? <Context path={path} line={frame.line} project={project} commit={commit} /> : null}
    </li>
  );
}

function Context({ path, line, project, commit }: { path: string; line: number; project: string; commit: string | null }) {
  const asked = new URLSearchParams({ file_path: path, line_number: String(line), project });
  if (commit) {
    asked.set("commit_hash", commit);
  }
  const [whole, setWhole] = useState(false);
  const context = useData<CodeContext>(`/iris/code-context?${asked}`, true);
  const of = context.data;
  if (!of) {
    return context.error ? <Failure error={context.error} /> : <Waiting />;
  }
  if (!of.found) {
    return <p class="quiet">No analysis has seen this place.</p>;
  }
  const findings = [...of.security_findings, ...of.code_smells, ...of.best_practices_violations];
  const change = of.recent_changes;
  const long = (of.code_snippet?.split("\n").length ?? 0) > 2 * AROUND + 1;
  return (
    <div class="context">
      {of.code_snippet ? (
        <Code
          text={of.code_snippet}
          first={of.snippet_start_line ?? 1}
          line={line}
          {...(whole ? {} : { around: AROUND })}
          label={`${path} around line ${line}`}
        />
      ) : null}
      <p class="about">
        <span title={of.complexity.details}>
          complexity <b class="figure">{of.complexity.score}</b> <b>{of.complexity.grade}</b>
        </span>
        {change ? (
          <span>
            changed <Since at={change.last_modified} /> ago by {change.author}: {change.commit_message.split("\n")[0]}{" "}
            <code>{hash(change.commit_hash)}</code>
          </span>
        ) : null}
        {long ? (
          <button type="button" class="plain" onClick={() => setWhole(!whole)}>
            {whole ? "less" : "the whole function"}
          </button>
        ) : null}
      </p>
      <ul class="lines">
        {findings.map((one: ContextFinding) => (
          <li key={one.id}>
            <SeverityMark of={one.severity} bare />
            <div>
              <a href={to("/findings", { finding: one.id, status: "all" })}>{one.description}</a>
            </div>
            <span class="figure quiet">:{one.line}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Suspects({ why, changed }: { why: Correlation; changed: () => void }) {
  const [busy, setBusy] = useState(false);
  const said = new Map(why.feedback.map((one) => [one.subject, one]));
  const none = said.get("none:") ?? [...said.values()].find((one) => one.subject.startsWith("none"));

  async function judge(body: Record<string, unknown>, told: string): Promise<void> {
    setBusy(true);
    try {
      const learned = await post<{ is_learned: boolean }>(`/iris/correlations/${why.correlation_id}/feedback`, body);
      tell(learned.is_learned ? `${told} Later answers learn from it.` : told);
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    changed();
  }

  if (why.suspect_functions.length === 0) {
    return <p class="quiet">Nothing in the project's code is suspected.</p>;
  }
  return (
    <>
      <ol class="suspects">
        {why.suspect_functions.map((one, index) => {
          const opinion = said.get(`function:${one.file_path}:${one.function_name}`);
          const subject = { function: one.function_name, file_path: one.file_path };
          return (
            <SuspectRow key={`${one.file_path}:${one.function_name}`} of={one} first={index === 0}>
              <button
                type="button"
                disabled={busy}
                aria-pressed={opinion?.verdict === "confirmed"}
                onClick={() => judge({ ...subject, verdict: "confirmed" }, "Confirmed.")}
              >
                Confirm<span class="hidden"> {one.function_name}</span>
              </button>
              <button
                type="button"
                disabled={busy}
                aria-pressed={opinion?.verdict === "rejected"}
                onClick={() => judge({ ...subject, verdict: "rejected" }, "Rejected.")}
              >
                Reject<span class="hidden"> {one.function_name}</span>
              </button>
              {opinion ? <span class="quiet">by {opinion.user}</span> : null}
            </SuspectRow>
          );
        })}
      </ol>
      <p class="acts">
        <button
          type="button"
          class="plain"
          disabled={busy}
          aria-pressed={none?.verdict === "confirmed"}
          onClick={() => judge({ none: true, verdict: "confirmed" }, "None of these.")}
        >
          None of these
        </button>
      </p>
    </>
  );
}

function SuspectRow({ of, first, children }: { of: Suspect; first: boolean; children: ComponentChildren }) {
  const [open, setOpen] = useState(first);
  return (
    <li>
      <button type="button" class="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Likely share={of.probability} />
        <span>
          <span class="function">{of.function_name}</span>
          <Place path={of.file_path} line={of.line_number} />
        </span>
      </button>
      {open ? (
        <>
          <EvidenceBars of={of.evidence} />
          <div class="acts">{children}</div>
        </>
      ) : null}
    </li>
  );
}
