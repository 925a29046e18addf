// What a language model says of an alert, where the operator has set one up: text, and nothing but text.
import { useState } from "preact/hooks";

import { post } from "../api";
import { useData } from "../data";
import { moment } from "../format";
import type { Advice, AdviceStanding } from "../types";
import "./advice.css";
import { complain } from "./toast";

export function Advised({ of }: { of: string }) {
  const path = `/iris/correlations/${of}/advice`;
  const read = useData<AdviceStanding>(path, true);
  const [busy, setBusy] = useState(false);
  const standing = read.stale ? null : read.data;
  if (!standing || (!standing.enabled && !standing.advice)) {
    return null;
  }
  const said = standing.advice;
  const spent = standing.budget.status === "EXCEEDED";
  // What was said on the same facts would be said again; with code there are more of them.
  const more = !said || (standing.sends_code && !said.with_code);

  async function ask(): Promise<void> {
    setBusy(true);
    try {
      await post<Advice>(path, {});
    } catch (failure) {
      complain(failure);
    }
    setBusy(false);
    read.reload();
  }

  return (
    <section aria-labelledby="advice">
      <h2 id="advice">Advice</h2>
      {said ? (
        <>
          <p class="advice">{said.text}</p>
          {said.is_cut ? <p class="quiet">It had more to say.</p> : null}
          <p class="quiet">
            By {said.model}, which {said.with_code ? "saw code" : "saw no code"}, {moment(said.created_at)}, for{" "}
            {said.created_by}. A model may be wrong: look before you act.
          </p>
        </>
      ) : (
        <p class="quiet">
          A language model outside is told names, messages and measures
          {standing.sends_code ? ", and code" : ", but no code"}.
        </p>
      )}
      {standing.enabled && more ? (
        <p class="acts">
          <button type="button" disabled={busy || spent} aria-busy={busy} onClick={() => void ask()}>
            {busy ? "Asking…" : said ? "Ask again, with code" : "Ask for advice"}
          </button>
          {spent ? <span class="quiet">This month's budget is used up.</span> : null}
        </p>
      ) : null}
    </section>
  );
}
