// Light or dark: as the system has it, until somebody says otherwise.
import { effect, signal } from "@preact/signals";

const PLACE = "hefesto.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export const chosen = signal<"light" | "dark" | null>(read());

function read(): "light" | "dark" | null {
  const kept = localStorage.getItem(PLACE);
  return kept === "light" || kept === "dark" ? kept : null;
}

export function start(): void {
  effect(() => {
    if (chosen.value) {
      document.documentElement.dataset["theme"] = chosen.value;
      localStorage.setItem(PLACE, chosen.value);
    } else {
      delete document.documentElement.dataset["theme"];
      localStorage.removeItem(PLACE);
    }
  });
}

export function flip(): void {
  const now = chosen.value ?? (dark.matches ? "dark" : "light");
  const other = now === "dark" ? "light" : "dark";
  // Back to what the system has is no choice at all.
  chosen.value = (other === "dark") === dark.matches ? null : other;
}
