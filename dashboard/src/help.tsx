// The keys, for who presses "?".
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export const asked = signal(false);

const KEYS: [string, string][] = [
  ["g n", "now"],
  ["g f", "findings"],
  ["g q", "quality"],
  ["g d", "deployments"],
  ["g w", "webhooks"],
  ["g s", "system"],
  ["j k", "next, previous in a list"],
  ["x", "select it"],
  ["*", "select all, or none"],
  ["a", "acknowledge"],
  ["i", "ignore"],
  ["I", "ignore with a reason, or for a time"],
  ["r", "resolve; replay a delivery"],
  ["n", "new webhook"],
  ["e", "change the webhook"],
  ["u", "undo"],
  ["Enter", "open"],
  ["/", "search"],
  ["Esc", "close, or select nothing"],
  ["t", "light or dark"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = asked.value;
  useEffect(() => {
    if (open) {
      dialog.current?.showModal();
    } else {
      dialog.current?.close();
    }
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby="keys" onClose={() => (asked.value = false)}>
      <h2 id="keys">Keys</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              {key.split(" ").map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => (asked.value = false)}>
        Close
      </button>
    </dialog>
  );
}
