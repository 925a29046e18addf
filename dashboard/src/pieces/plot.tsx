// The frame of every plot: drawn to the width there is, read by keyboard and pointer, saved as CSV and SVG.
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { Keep } from "./keep";

export interface Plotted {
  place: RefObject<HTMLDivElement | null>;
  width: number;
  /** The number of what is picked; null while nothing is. */
  at: number | null;
  pick: (at: number | null) => void;
}

/** The width that a plot has, at least `least` pixels, and what is picked in it. */
export function usePlot(least = 240): Plotted {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  const [at, pick] = useState<number | null>(null);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(least, entry.contentRect.width)));
    watch.observe(place.current as Element);
    return () => watch.disconnect();
  }, []);
  return { place, width, at, pick };
}

interface Framed {
  of: Plotted;
  /** A class beside `chart`. */
  kind?: string;
  heading: ComponentChildren;
  /** What is saved is called so. */
  title: string;
  table: () => string;
  label: string;
  height: number;
  /** The number of the last thing that can be picked; -1 where there is none. */
  last: number;
  told: (at: number) => string;
  /** What stands `x` pixels from the left; null where nothing does. */
  under: (x: number) => number | null;
  legend: ComponentChildren;
  /** What is drawn. */
  children: ComponentChildren;
}

export function Plot({ of, kind = "", heading, title, table, label, height, last, told, under, legend, children }: Framed) {
  const within = (number: number) => Math.min(last, Math.max(0, number));
  const shown = Math.max(0, of.at ?? last);

  function point(event: PointerEvent): void {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const found = under(event.clientX - box.left);
    of.pick(found === null || last < 0 ? null : within(found || 0));
  }

  function step(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -last - 1, End: last + 1 }[event.key];
    if (by) {
      event.preventDefault();
      of.pick(within((of.at ?? last) + by));
    }
  }

  return (
    <figure class={`chart ${kind}`}>
      <figcaption>
        {heading}
        <Keep title={title} table={table} drawn={() => of.place.current?.querySelector("svg")} />
      </figcaption>
      <div
        ref={of.place}
        class="plot"
        tabIndex={0}
        role="slider"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={shown}
        aria-valuetext={told(shown)}
        onKeyDown={step}
        onPointerMove={point}
        onPointerLeave={() => of.pick(null)}
        onBlur={() => of.pick(null)}
      >
        <svg width={of.width} height={height} viewBox={`0 0 ${of.width} ${height}`} aria-hidden="true">
          {children}
        </svg>
      </div>
      <p class="legend" aria-hidden="true">
        {legend}
      </p>
    </figure>
  );
}
