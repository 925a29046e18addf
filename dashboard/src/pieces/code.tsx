// Lines of code with their numbers; the one that matters stands out.

interface Shown {
  text: string;
  first: number;
  line?: number | null;
  /** How many lines around `line` to show; all of them without. */
  around?: number;
  label: string;
}

export function Code({ text, first, line = null, around, label }: Shown) {
  let lines = text.replace(/\n$/, "").split("\n");
  let start = first;
  if (around !== undefined && line !== null) {
    const at = Math.min(Math.max(line - first, 0), lines.length - 1);
    const from = Math.max(0, at - around);
    lines = lines.slice(from, at + around + 1);
    start = first + from;
  }
  return (
    <pre class="code" tabIndex={0} aria-label={label}>
      {lines.map((each, index) => {
        const number = start + index;
        const hit = number === line;
        return (
          <div key={number} class={hit ? "row hit" : "row"}>
            <span class="number" aria-hidden="true">
              {number}
            </span>
            <code>{each || " "}</code>
            {hit ? <span class="hidden"> (line {number})</span> : null}
          </div>
        );
      })}
    </pre>
  );
}
