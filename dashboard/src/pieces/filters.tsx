// What narrows a list down: the filters stand in the address.
import { useEffect, useState } from "preact/hooks";

import { change, route } from "../route";

const PAUSE_MS = 250; // between two keys, after which the list is asked for anew

/** What is searched for, asked for once the typing rests. */
export function Search({ id, placeholder = "Search", most }: { id?: string; placeholder?: string; most: number }) {
  const [text, setText] = useState(route.value.query.get("q") ?? "");
  useEffect(() => {
    const timer = setTimeout(() => {
      if (text !== (route.value.query.get("q") ?? "")) {
        change({ q: text });
      }
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="grow">
      <span class="hidden">Search</span>
      <input
        id={id}
        type="search"
        placeholder={placeholder}
        value={text}
        maxLength={most}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  );
}

/** What else of these the list is narrowed down to, to be taken back. */
export function Narrowed({ by }: { by: string[] }) {
  const query = route.value.query;
  return (
    <>
      {by.filter((name) => query.get(name)).map((name) => (
        <button key={name} type="button" class="chip" onClick={() => change({ [name]: "" })}>
          {query.get(name)} <span aria-hidden="true">×</span>
          <span class="hidden">no longer</span>
        </button>
      ))}
    </>
  );
}
