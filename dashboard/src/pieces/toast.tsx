// What was just done, with the way back.
import { signal } from "@preact/signals";

interface Told {
  text: string;
  wrong: boolean;
  undo: (() => void) | null;
}

const LONG_MS = 8_000;
const told = signal<Told | null>(null);
let timer = 0;
/** The way back from what was done last, also when that is no longer shown. */
let back: (() => void) | null = null;

export function tell(text: string, undo: (() => void) | null = null, wrong = false): void {
  clearTimeout(timer);
  back = undo ?? back;
  told.value = { text, undo, wrong };
  timer = window.setTimeout(() => {
    told.value = null;
  }, LONG_MS);
}

export function complain(failure: unknown): void {
  tell(failure instanceof Error ? failure.message : String(failure), null, true);
}

/** Take back what was done last, once. */
export function undo(): void {
  const does = back;
  back = null;
  told.value = null;
  does?.();
}

export function Toast() {
  const shown = told.value;
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {shown ? (
        <div class={shown.wrong ? "toast wrong" : "toast"}>
          <span>{shown.text}</span>
          {shown.undo ? (
            <button type="button" onClick={undo}>
              Undo <kbd>u</kbd>
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}
