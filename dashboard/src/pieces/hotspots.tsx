// The map of hotspots: each file's area is its size, its colour how hot it is, hatching that it was to blame.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { useData } from "../data";
import { count, many, short } from "../format";
import { go, to } from "../route";
import "./hotspots.css";
import { csv, Keep } from "./keep";
import { Failure, Place, Since, Waiting } from "./marks";
import { treemap, type Placed } from "./treemap";

interface Part {
  known: boolean;
  reason: string | null;
}

export interface Hotspot {
  file_path: string;
  project: string;
  lines_of_code: number;
  score: number;
  commits: number | null;
  last_changed: string | null;
  complexity: number;
  most_complex: { function_name: string; line: number; complexity: number } | null;
  incidents: number;
  findings: { total: number; critical: number; high: number; medium: number; low: number };
}

interface Told {
  parts: Record<"complexity" | "churn" | "incidents", Part>;
  files: Hotspot[];
}

const TITLE = "Hotspots";
const STEPS = 5;
const CHARACTER = 6.4; // pixels of a label
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const heat = (score: number) => Math.min(STEPS - 1, Math.floor(score / (100 / STEPS)));
const keyOf = (of: Hotspot) => `${of.project}:${of.file_path}`;
const addressOf = (of: Hotspot) => to("/findings", { file_path: of.file_path, project: of.project });

export function Hotspots({ days, within }: { days: number; within: string }) {
  const read = useData<Told>(`/metrics/hotspots?days=${days}&limit=200${within}`, true);
  const map = useRef<SVGSVGElement>(null);
  const of = read.data;
  const unknown = of ? Object.values(of.parts).flatMap((one) => (one.reason ? [one.reason] : [])) : [];
  return (
    <figure class={read.stale ? "hotspots stale" : "hotspots"}>
      <figcaption>
        <h2>{TITLE}</h2>
        <Legend />
        {of?.files.length ? <Keep title={TITLE} table={() => table(of.files)} drawn={() => map.current} /> : null}
      </figcaption>
      <p class="quiet">
        Files by size. The darker, the more often changed in {days} days and the more complex; hatched ones were to blame
        for alerts.
      </p>
      {unknown.map((reason) => (
        <p key={reason} class="unknown">
          {reason}
        </p>
      ))}
      {!of && read.error ? <Failure error={read.error} retry={read.reload} /> : null}
      {!of && !read.error ? <Waiting /> : null}
      {of?.files.length ? (
        <div class="beside">
          <FileMap files={of.files} drawn={map} />
          <Table files={of.files} />
        </div>
      ) : null}
    </figure>
  );
}

function Legend() {
  return (
    <p class="scale" aria-hidden="true">
      <span>calm</span>
      {Array.from({ length: STEPS }, (_, step) => (
        <i key={step} class={`heat-${step}`} />
      ))}
      <span>hot</span>
    </p>
  );
}

function FileMap({ files, drawn }: { files: Hotspot[]; drawn: { current: SVGSVGElement | null } }) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  const [at, setAt] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(240, Math.floor(entry.contentRect.width))));
    watch.observe(place.current as Element);
    return () => watch.disconnect();
  }, []);
  const height = Math.round(Math.min(560, Math.max(320, width * 0.62)));
  const several = files.some((one) => one.project !== files[0]?.project);
  const laid = useMemo(() => {
    const named = (one: Hotspot) => (several ? `${one.project}/${one.file_path}` : one.file_path);
    const made = treemap(files, named, (one) => one.lines_of_code, { x: 0, y: 0, width, height });
    const rank = new Map(files.map((one, index) => [keyOf(one), index]));
    made.files.sort((one, other) => (rank.get(keyOf(one.item)) ?? 0) - (rank.get(keyOf(other.item)) ?? 0));
    return made;
  }, [files, width, height, several]);
  const here = laid.files[Math.min(at, laid.files.length - 1)];

  function press(event: KeyboardEvent): void {
    const way = ARROWS[event.key];
    const next = way && here ? nearest(laid.files, here, way) : event.key === "Home" ? 0 : null;
    if (next === null) {
      return;
    }
    event.preventDefault();
    setAt(next);
    place.current?.querySelectorAll<SVGElement>("a")[next]?.focus();
  }

  function open(event: MouseEvent, one: Hotspot): void {
    if (event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)) {
      event.preventDefault();
      go(addressOf(one));
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    }
  }

  return (
    <div class="map">
      <div ref={place} role="group" aria-label="Map of the files: the hottest first, others by the arrow keys" onKeyDown={press}>
        <svg ref={drawn} width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
          <defs>
            <pattern id="hatched" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="stripe" width="2.500" height="7" />
            </pattern>
          </defs>
          {laid.folders.map((one) => (
            <text key={`${one.x},${one.y}`} class="folder" x={one.x + 3} y={one.y + 11} aria-hidden="true">
              {fitting(one.name, one.width - 6)}
            </text>
          ))}
          {laid.files.map((one, index) => (
            <a
              key={keyOf(one.item)}
              href={addressOf(one.item)}
              tabIndex={one === here ? 0 : -1}
              class={`heat-${heat(one.item.score)}`}
              onClick={(event) => open(event, one.item)}
              onFocus={() => setAt(index)}
              onPointerEnter={() => setAt(index)}
            >
              <title>{told(one.item)}</title>
              <Cell of={one} />
            </a>
          ))}
        </svg>
      </div>
      {here ? <Detail of={here.item} /> : null}
    </div>
  );
}

function Cell({ of }: { of: Placed<Hotspot> }) {
  const { x, y, width, height, item } = of;
  const name = item.file_path.slice(item.file_path.lastIndexOf("/") + 1);
  const label = height > 16 && width > 34 ? fitting(name, width - 8) : "";
  const blamed = item.incidents && height > 32 && width > 44 ? many(item.incidents, "incident") : "";
  return (
    <>
      <rect class="cell" x={x} y={y} width={width} height={height} />
      {item.incidents ? <rect class="blamed" x={x} y={y} width={width} height={height} fill="url(#hatched)" /> : null}
      {label ? (
        <text x={x + 4} y={y + 13}>
          {label}
        </text>
      ) : null}
      {blamed ? (
        <text class="strong" x={x + 4} y={y + 27}>
          {fitting(blamed, width - 8)}
        </text>
      ) : null}
    </>
  );
}

/** What the marked file is, for those who see the map; the others hear it from its link. */
function Detail({ of }: { of: Hotspot }) {
  return (
    <p class="detail" aria-hidden="true">
      <Place path={of.file_path} />
      <span>
        <b>{Math.round(of.score)}</b> of 100
      </span>
      <span>{count(of.lines_of_code)} lines</span>
      <span>{of.commits === null ? "changes unknown" : many(of.commits, "commit")}</span>
      <span>
        complexity {count(of.complexity)}
        {of.most_complex ? `, most in ${of.most_complex.function_name}` : ""}
      </span>
      {of.incidents ? <span class="strong">{many(of.incidents, "incident")}</span> : null}
      <span>{many(of.findings.total, "finding")}</span>
    </p>
  );
}

function Table({ files }: { files: Hotspot[] }) {
  return (
    <div class="ranked">
      <table>
        <caption class="hidden">Hotspots, the hottest first</caption>
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Score</th>
            <th scope="col">Commits</th>
            <th scope="col">Complexity</th>
            <th scope="col">Incidents</th>
            <th scope="col">Findings</th>
          </tr>
        </thead>
        <tbody>
          {files.map((one) => (
            <tr key={keyOf(one)}>
              <th scope="row">
                <a href={addressOf(one)}>
                  <Place path={one.file_path} />
                </a>
              </th>
              <td>
                <span class={`dot heat-${heat(one.score)}`} aria-hidden="true" />
                {Math.round(one.score)}
              </td>
              <td>
                {one.commits === null ? "–" : count(one.commits)}
                {one.last_changed ? (
                  <span class="hidden">
                    , last <Since at={one.last_changed} /> ago
                  </span>
                ) : null}
              </td>
              <td title={one.most_complex ? `${one.most_complex.function_name}: ${one.most_complex.complexity}` : undefined}>
                {short(one.complexity)}
              </td>
              <td class={one.incidents ? "strong" : "quiet"}>{count(one.incidents)}</td>
              <td>{count(one.findings.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The file whose middle is nearest in a direction; the way aside counts double. */
function nearest(files: Placed<Hotspot>[], here: Placed<Hotspot>, [right, down]: [number, number]): number | null {
  const middle = (of: Placed<Hotspot>) => [of.x + of.width / 2, of.y + of.height / 2] as const;
  const [x, y] = middle(here);
  let found: number | null = null;
  let least = Infinity;
  files.forEach((one, index) => {
    const [otherX, otherY] = middle(one);
    const ahead = (otherX - x) * right + (otherY - y) * down;
    const aside = Math.abs((otherX - x) * down) + Math.abs((otherY - y) * right);
    if (one !== here && ahead > 0 && ahead + 2 * aside < least) {
      least = ahead + 2 * aside;
      found = index;
    }
  });
  return found;
}

function fitting(text: string, width: number): string {
  const room = Math.floor(width / CHARACTER);
  return text.length <= room ? text : room > 2 ? `${text.slice(0, room - 1)}…` : "";
}

function told(of: Hotspot): string {
  const parts = [
    `${of.file_path}: score ${Math.round(of.score)} of 100`,
    many(of.lines_of_code, "line"),
    of.commits === null ? "changes unknown" : many(of.commits, "commit"),
    `complexity ${of.complexity}`,
    many(of.incidents, "incident"),
    many(of.findings.total, "finding"),
  ];
  return parts.join(", ");
}

function table(files: Hotspot[]): string {
  const head = ["project", "file_path", "score", "lines_of_code", "commits", "last_changed", "complexity"];
  return csv([
    [...head, "most_complex_function", "incidents", "findings"],
    ...files.map((one) => [
      one.project,
      one.file_path,
      one.score,
      one.lines_of_code,
      one.commits,
      one.last_changed,
      one.complexity,
      one.most_complex?.function_name ?? null,
      one.incidents,
      one.findings.total,
    ]),
  ]);
}
