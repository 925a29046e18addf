// What is shown, to take along: its figures as CSV, its drawing as SVG.

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

function slug(title: string): string {
  return `hefesto-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
}

/** The drawing with its colours written into it, as it looks now. */
function picture(drawn: SVGElement | null | undefined): string {
  if (!drawn) {
    return "";
  }
  const copy = drawn.cloneNode(true) as SVGElement;
  const originals = drawn.querySelectorAll("*");
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.querySelectorAll("*").forEach((each, index) => {
    const style = getComputedStyle(originals[index] as Element);
    for (const name of ["fill", "stroke", "stroke-width", "opacity", "font-size", "font-family"]) {
      each.setAttribute(name, style.getPropertyValue(name));
    }
    each.removeAttribute("class");
  });
  return copy.outerHTML;
}

export function save(name: string, kind: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.target = "_self";
  link.click();
  URL.revokeObjectURL(link.href);
}
