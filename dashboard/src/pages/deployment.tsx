// One deployment: what followed it, who is suspected, what it touched, brought and took away.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { useData } from "../data";
import { count, hash, many, moment } from "../format";
import type { AlertAfter, Changes, Impact, Shipped, ShippedFinding } from "../outgoing";
import { Around } from "../pieces/around";
import { Failure, Likely, Place, SeverityMark, Since, StatusMark, Waiting } from "../pieces/marks";
import { nameOfAlert, RiskMark, StateMark, VerdictMark } from "../pieces/verdict";
import { change, route, to } from "../route";

const SPANS: [number, string][] = [
  [6, "6 h"],
  [24, "24 h"],
  [168, "7 d"],
];
const FEW = 12;
const HOUR_MS = 3_600_000;

export function DeploymentPage({ id }: { id: string }) {
  const hours = SPANS.find(([one]) => String(one) === route.value.query.get("hours"))?.[0] ?? 24;
  const place = `/deployments/${encodeURIComponent(id)}`;
  const read = useData<Shipped>(place);
  const after = useData<Impact>(`${place}/impact?hours=${hours}`);
  const changes = useData<Changes>(`${place}/changes`, true);
  if (!read.data || read.stale) {
    return read.error ? <Failure error={read.error} retry={read.reload} /> : <Waiting />;
  }
  const of = read.data;
  const name = of.release ?? hash(of.commit_hash ?? "");
  const touched = new Set(changes.data?.files.map((one) => one.file_path));
  return (
    <article class="deployment alert">
      <Head of={of} name={name} />
      <div class="columns">
        <div class="main">
          <section class="span" aria-labelledby="rate">
            <div class="ways" role="group" aria-label="Hours before and after">
              {SPANS.map(([one, label]) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={one === hours}
                  onClick={() => change({ hours: one === 24 ? "" : String(one) })}
                >
                  {label}
                </button>
              ))}
            </div>
            {after.data ? (
              <Around of={after.data} at={of.deployed_at} name={name} />
            ) : after.error ? (
              <Failure error={after.error} retry={after.reload} />
            ) : (
              <Waiting />
            )}
          </section>
          {after.data ? <Alerts of={after.data} touched={touched} /> : null}
          <Files of={changes.data} />
        </div>
        <div class="side">
          <Verdicts of={of} />
          <Commits of={of} />
          <Findings
            id="brought"
            title={of.previous ? "Findings it brought" : "Findings that stood then"}
            none="None came with it."
            some={of.findings}
            total={of.findings_total}
          />
          {of.previous ? (
            <Findings
              id="resolved"
              title="Findings resolved by then"
              none="None was resolved since the deployment before."
              some={of.resolved}
              total={of.resolved_total}
            />
          ) : null}
        </div>
      </div>
    </article>
  );
}

function Head({ of, name }: { of: Shipped; name: string }) {
  const before = of.previous;
  return (
    <header class="head">
      <p class="top">
        <VerdictMark of={of} />
        <RiskMark of={of.risk} />
        {of.is_running ? <span class="tag hot">running</span> : null}
        <span class="times">
          <Since at={of.deployed_at} /> ago
        </span>
      </p>
      <h1>{name}</h1>
      <dl class="facts">
        <Fact label="project">{of.project}</Fact>
        <Fact label="environment">{of.environment}</Fact>
        <Fact label="deployed">{moment(of.deployed_at)}</Fact>
        {of.deployed_by ? <Fact label="by">{of.deployed_by}</Fact> : null}
        {of.commit_hash ? (
          <Fact label="commit">
            <code title={of.commit_hash}>{hash(of.commit_hash)}</code>
          </Fact>
        ) : null}
        <Fact label="told by">{of.source}</Fact>
        <Fact label="before it">
          {before ? (
            <a href={to(`/deployments/${before.id}`)}>{before.release ?? hash(before.commit_hash ?? "")}</a>
          ) : (
            "nothing"
          )}
        </Fact>
      </dl>
      {of.risk.reasons.length ? <p class="quiet reasons">{of.risk.reasons.join(" · ")}</p> : null}
    </header>
  );
}

function Fact({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Alerts({ of, touched }: { of: Impact; touched: Set<string> }) {
  const hours = Math.max(1, Math.round(of.window_seconds / 3600));
  return (
    <section aria-labelledby="after">
      <h2 id="after">
        Alerts since{" "}
        <span class="quiet figure">
          {count(of.alerts_before)} before, {count(of.alerts_after)} after, {count(of.new_alerts)} new, within {hours} h
        </span>
      </h2>
      {of.alerts.length === 0 ? <p class="quiet">None has been on since it was deployed.</p> : null}
      <ol class="afters">
        {of.alerts.map((one) => (
          <After key={one.id} of={one} touched={touched} />
        ))}
      </ol>
      {of.alerts_after > of.alerts.length ? <p class="quiet">The first {of.alerts.length} are shown.</p> : null}
    </section>
  );
}

function After({ of, touched }: { of: AlertAfter; touched: Set<string> }) {
  const [before, name] = nameOfAlert(of);
  const suspect = of.suspect;
  return (
    <li class={of.is_new ? "new" : ""}>
      <div class="line">
        <SeverityMark of={of.severity} bare />
        <a href={to(`/alerts/${of.id}`)}>
          <span class="module">{before}</span>
          <b>{name}</b>
        </a>
        {of.is_new ? <span class="tag hot">new</span> : <span class="tag">known before</span>}
        <StatusMark of={of.status} />
        <span class="times">
          <b class="figure">{count(of.occurrence_count)}×</b> since <Since at={of.first_seen} />
        </span>
      </div>
      {suspect ? (
        <div class="line who">
          <Likely share={suspect.probability} />
          <span class="function">{suspect.function_name}</span>
          <Place path={suspect.file_path} />
          {touched.has(suspect.file_path) ? <span class="tag hot">changed by this deployment</span> : null}
        </div>
      ) : null}
    </li>
  );
}

function Files({ of }: { of: Changes | null }) {
  const [all, setAll] = useState(false);
  if (!of?.commits_known) {
    return null;
  }
  const most = Math.max(1, ...of.files.map((one) => one.lines_added + one.lines_removed));
  const shown = all ? of.files : of.files.slice(0, FEW);
  return (
    <section class="touched" aria-labelledby="files">
      <h2 id="files">
        Files it changed <span class="quiet figure">{count(of.files_total)}</span>
      </h2>
      <ol>
        {shown.map((one) => (
          <li key={one.file_path}>
            <Place path={one.file_path} />
            <span class="quiet figure">
              {one.kind === "modified" ? "" : `${one.kind} · `}
              {many(one.commits, "commit")}
            </span>
            <span class="figure lines-changed">
              {one.lines_added + one.lines_removed ? (
                <>
                  <ins>+{count(one.lines_added)}</ins> <del>−{count(one.lines_removed)}</del>
                </>
              ) : null}
            </span>
            <span class="weight" aria-hidden="true">
              <i class="c-good" style={{ width: `${(one.lines_added / most) * 100}%` }} />
              <i class="c-high" style={{ width: `${(one.lines_removed / most) * 100}%` }} />
            </span>
          </li>
        ))}
      </ol>
      {of.files.length > FEW ? (
        <button type="button" class="plain" onClick={() => setAll(!all)}>
          {all ? "fewer" : `all ${count(of.files.length)}`}
        </button>
      ) : null}
    </section>
  );
}

function Verdicts({ of }: { of: Shipped }) {
  return (
    <section aria-labelledby="verdicts">
      <h2 id="verdicts">How it went</h2>
      {of.verdicts.length === 0 ? (
        <p class="quiet">
          {Date.now() - Date.parse(of.deployed_at) < HOUR_MS
            ? "The first verdict comes an hour after it was deployed."
            : "The first verdict is about to be given."}
        </p>
      ) : (
        <ul class="lines verdicts">
          {of.verdicts.map((one) => (
            <li key={one.after_hours}>
              <StateMark of={one.verdict} />
              <div>
                <span class="quiet">
                  after {one.after_hours} h: {count(one.alerts_before)} → {count(one.alerts_after)} alerts,{" "}
                  {count(one.new_alerts)} new
                </span>
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Commits({ of }: { of: Shipped }) {
  const [all, setAll] = useState(false);
  const shown = all ? of.commits : of.commits.slice(0, FEW);
  return (
    <section aria-labelledby="commits">
      <h2 id="commits">
        Commits {of.commits_known ? <span class="quiet figure">{count(of.commits_total)}</span> : null}
      </h2>
      {of.commits_known ? null : (
        <p class="quiet">
          {of.previous
            ? "Not known: analyse the repository, and name its commits when you deploy."
            : "Not known: nothing was deployed here before."}
        </p>
      )}
      <ul class="lines">
        {shown.map((one) => (
          <li key={one.commit_hash}>
            <code>{hash(one.commit_hash)}</code>
            <div>
              <span>{one.message}</span>
              <span class="quiet">
                {one.author}
                {one.timestamp ? `, ${moment(one.timestamp)}` : ""}
              </span>
            </div>
          </li>
        ))}
      </ul>
      {of.commits.length > FEW ? (
        <button type="button" class="plain" onClick={() => setAll(!all)}>
          {all ? "fewer" : `all ${count(of.commits.length)}`}
        </button>
      ) : null}
    </section>
  );
}

function Findings({ id, title, none, some, total }: { id: string; title: string; none: string; some: ShippedFinding[]; total: number }) {
  const [all, setAll] = useState(false);
  const shown = all ? some : some.slice(0, FEW);
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>
        {title} <span class="quiet figure">{count(total)}</span>
      </h2>
      {total === 0 ? <p class="quiet">{none}</p> : null}
      <ul class="lines">
        {shown.map((one) => (
          <li key={one.id}>
            <SeverityMark of={one.severity} bare />
            <div>
              <a href={to("/findings", { finding: one.id, status: "all" })}>{one.description}</a>
              <Place path={one.file_path} line={one.line} />
            </div>
            <StatusMark of={one.status} />
          </li>
        ))}
      </ul>
      {some.length > FEW ? (
        <button type="button" class="plain" onClick={() => setAll(!all)}>
          {all ? "fewer" : `all ${count(some.length)}`}
        </button>
      ) : null}
    </section>
  );
}
