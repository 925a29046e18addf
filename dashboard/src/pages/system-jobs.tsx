// What waits, runs and is dead, and what comes round with how its runs ended.
import { post } from "../api";
import { count, lasting, moment, words } from "../format";
import { Failure, Since } from "../pieces/marks";
import { complain, tell } from "../pieces/toast";
import { may } from "../session";
import { useMeasured } from "./system";
import type { Job, JobsTold, Schedule } from "./system-types";

const RUNS = 24; // of a schedule, in its strip
const STATES = ["queued", "running", "succeeded", "dead", "cancelled"];

export function Jobs() {
  const allowed = may("admin");
  const read = useMeasured<JobsTold>(allowed ? "/system/jobs?limit=500" : null, 60);
  const of = read.data;
  return (
    <section class="jobs" aria-labelledby="jobs">
      <h2 id="jobs">Jobs</h2>
      {allowed ? null : (
        <p class="quiet">
          Jobs and their schedule are shown to who has the scope <code>admin</code>; your credentials lack it.
        </p>
      )}
      {read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {of ? (
        <>
          <p class="quiet figure">
            {Object.entries(of.counts)
              .sort(([a], [b]) => STATES.indexOf(a) - STATES.indexOf(b))
              .map(([state, many]) => `${count(many)} ${state}`)
              .join(" · ") || "No job was ever queued."}
          </p>
          <Listed title="Dead" of={of.dead} again={read.reload} />
          <Listed title="Running" of={of.running} />
          <Listed title="Waiting" of={of.queued.slice(0, 20)} />
          <Schedules of={of} />
        </>
      ) : null}
    </section>
  );
}

function Listed({ title, of, again }: { title: string; of: Job[]; again?: () => void }) {
  if (of.length === 0) {
    return null;
  }
  async function retry(job: Job): Promise<void> {
    try {
      await post(`/system/jobs/${job.id}/retry`);
      tell(`${words(job.kind)} is queued anew`);
      again?.();
    } catch (failure) {
      complain(failure);
    }
  }
  return (
    <>
      <h3>{title}</h3>
      <ul class="queue">
        {of.map((one) => (
          <li key={one.id}>
            <span class="name">{words(one.kind)}</span>
            <span class="quiet figure">
              attempt {one.attempts} of {one.max_attempts}
            </span>
            <span class="quiet">
              <Since at={one.created_at} /> ago
            </span>
            {again ? (
              <button type="button" onClick={() => void retry(one)}>
                Retry<span class="hidden"> {words(one.kind)}</span>
              </button>
            ) : null}
            {one.last_error ? <code class="error">{one.last_error}</code> : null}
          </li>
        ))}
      </ul>
    </>
  );
}

function Schedules({ of }: { of: JobsTold }) {
  const learnings = of.baselines.filter((one) => one.last_status === "failed");
  return (
    <>
      <h3>What comes round</h3>
      <div class="scroll" tabIndex={0} role="region" aria-label="Schedule">
        <table>
          <thead>
            <tr>
              <th scope="col">Schedule</th>
              <th scope="col">Every</th>
              <th scope="col">Last run</th>
              <th scope="col">Next</th>
              <th scope="col" class="strip">
                Latest runs
              </th>
            </tr>
          </thead>
          <tbody>
            {of.scheduled.map((one) => (
              <Scheduled key={one.name} of={one} runs={of.executions.filter((each) => each.schedule === one.name)} />
            ))}
          </tbody>
        </table>
      </div>
      {of.baselines.length ? (
        <p class="quiet">
          {count(of.baselines.length)} baselines are learned anew every night
          {learnings.length ? `; ${learnings.map((one) => words(one.metric)).join(", ")} failed last time` : ""}.
        </p>
      ) : null}
    </>
  );
}

function Scheduled({ of, runs }: { of: Schedule; runs: JobsTold["executions"] }) {
  const latest = runs.slice(0, RUNS).reverse();
  const failed = latest.filter((one) => one.status === "failed").length;
  return (
    <tr>
      <th scope="row">
        {words(of.name)}
        {of.last_error ? <code class="error">{of.last_error}</code> : null}
      </th>
      <td>{lasting(of.every_seconds)}</td>
      <td class={of.last_status === "failed" ? "bad" : ""}>
        {of.last_run_at ? (
          <>
            {of.last_status ? `${words(of.last_status)} ` : ""}
            <Since at={of.last_run_at} /> ago
          </>
        ) : (
          "never"
        )}
      </td>
      <td title={moment(of.next_run_at)}>{until(of.next_run_at)}</td>
      <td class="strip">
        <svg width={RUNS * 5} height="14" viewBox={`0 0 ${RUNS * 5} 14`} role="img" aria-label={`${latest.length} runs, ${failed} failed`}>
          {latest.map((one, index) => (
            <rect
              key={one.id}
              x={(RUNS - latest.length + index) * 5}
              y={one.status === "failed" ? 1 : 4}
              width="3"
              height={one.status === "failed" ? 12 : 6}
              class={one.status}
            >
              <title>{`${moment(one.started_at)}: ${one.error ?? one.status}`}</title>
            </rect>
          ))}
        </svg>
      </td>
    </tr>
  );
}

function until(at: string): string {
  const seconds = (Date.parse(at) - Date.now()) / 1000;
  return seconds <= 1 ? "now" : `in ${lasting(seconds)}`;
}
