// What is shown, to take along: its figures as CSV, its drawing as SVG.
import { picture, save, slug } from "./chart";

interface Kept {
  title: string;
  table: () => string;
  drawn: () => SVGElement | null | undefined;
}

export function Keep({ title, table, drawn }: Kept) {
  const name = slug(title);
  return (
    <div class="keep">
      <button type="button" onClick={() => save(`${name}.csv`, "text/csv", table())}>
        CSV<span class="hidden"> of {title}</span>
      </button>
      <button type="button" onClick={() => save(`${name}.svg`, "image/svg+xml", picture(drawn()))}>
        SVG<span class="hidden"> of {title}</span>
      </button>
    </div>
  );
}

/** Rows as CSV; no cell is taken for a formula, whatever a file or a release is called. */
export function csv(rows: (string | number | null)[][]): string {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: string | number | null): string {
  if (typeof value !== "string") {
    return value === null ? "" : String(value);
  }
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
