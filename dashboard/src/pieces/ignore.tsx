// Asks why and for how long findings are to be ignored. The browser keeps the focus within, and takes Escape.
import { useEffect, useRef, useState } from "preact/hooks";

import { many, words } from "../format";
import "./ignore.css";

const REASONS = ["accepted_risk", "false_positive", "test_code", "no_time", "duplicate"];
const DAYS = 30;

/** How findings are ignored, as the service takes it. */
export interface Ignoring {
  reason?: string;
  comment?: string;
  ignored_until?: string;
}

type Until = "ever" | "date" | "incident";

export function IgnoreDialog({ ids, done, close }: { ids: string[]; done: (how: Ignoring) => void; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [until, setUntil] = useState<Until>("ever");
  useEffect(() => dialog.current?.showModal(), []);

  function submit(event: Event): void {
    event.preventDefault();
    const read = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(read.get(name) ?? "").trim();
    const how: Ignoring = {};
    if (text("reason")) {
      how.reason = text("reason");
    }
    if (text("comment")) {
      how.comment = text("comment");
    }
    if (until !== "ever") {
      how.ignored_until = until === "incident" ? "incident" : text("date");
    }
    done(how);
    dialog.current?.close();
  }

  const choice = (value: Until, label: string) => (
    <label class="choice">
      <input type="radio" name="until" value={value} checked={until === value} onChange={() => setUntil(value)} />
      {label}
    </label>
  );
  return (
    <dialog ref={dialog} class="ignoring" aria-labelledby="ignoring" onClose={close}>
      <form onSubmit={submit}>
        <h2 id="ignoring">Ignore {many(ids.length, "finding")}</h2>
        <label>
          Reason
          <select name="reason" autoFocus>
            <option value="">none given</option>
            {REASONS.map((one) => (
              <option key={one} value={one}>
                {words(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Comment
          <textarea name="comment" rows={2} maxLength={1000} />
        </label>
        <fieldset>
          <legend>Until</legend>
          {choice("ever", "somebody opens it again")}
          {choice("incident", "it appears in an incident")}
          {choice("date", "a day")}
          {until === "date" ? (
            <label>
              <span class="hidden">Day</span>
              <input name="date" type="date" required min={day(1)} defaultValue={day(DAYS)} />
            </label>
          ) : null}
        </fieldset>
        <div class="acts">
          <button type="submit" class="primary">
            Ignore
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** The date in so many days, here. */
function day(ahead: number): string {
  const at = new Date();
  at.setDate(at.getDate() + ahead);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
