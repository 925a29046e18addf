// j, k and Enter through a list, as everywhere.
import type { Signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

const NO_PRESSES = "input, select, textarea, [contenteditable], [role=slider]";

/** Move a mark through a list by keyboard; `more` are further keys. */
export function useListKeys(
  at: Signal<number>,
  many: number,
  rows: RefObject<HTMLElement | null>,
  open: () => void,
  more: Record<string, () => void> = {},
): void {
  const keys: Record<string, () => void> = {
    j: () => (at.value = Math.max(0, Math.min(many - 1, at.value + 1))),
    k: () => (at.value = Math.max(0, Math.min(many, at.value) - 1)),
    o: open,
    Enter: open,
    ...more,
  };
  const does = useRef(keys);
  does.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as Element;
      const held = event.ctrlKey || event.metaKey || event.altKey;
      if (held || target.matches(NO_PRESSES) || document.querySelector("dialog[open]")) {
        return;
      }
      if (event.key === "Enter" && target.closest("a, button, summary")) {
        return;
      }
      const act = does.current[event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const moved = at.value;
  useEffect(() => {
    if (moved) {
      rows.current?.querySelector(".here")?.scrollIntoView({ block: "nearest" });
    }
  }, [moved]);
}
