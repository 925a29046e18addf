// Reading a resource within a component, again with each pulse.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, get } from "./api";
import { heard, pause, pulse } from "./live";
import { person } from "./session";

export interface Read<T> {
  data: T | null;
  error: ApiError | null;
  /** Whether the data shown belong to the path asked for before. */
  stale: boolean;
  reload: () => void;
}

/** Read `path` now and, unless `still`, whenever something may have changed; null reads nothing. */
export function useData<T>(path: string | null, still = false): Read<T> {
  const [state, setState] = useState<{ path: string | null; data: T | null; error: ApiError | null }>({
    path: null,
    data: null,
    error: null,
  });
  const [asked, setAsked] = useState(0);
  const running = useRef<string | null>(null);
  const beat = still ? 0 : pulse.value;
  const shown = person.value;
  const current = useRef(path);
  current.current = path;

  useEffect(() => {
    if (path === null || running.current === path) {
      return;
    }
    running.current = path;
    get<T>(path)
      .then((data) => {
        heard(true);
        if (current.current === path) {
          setState((was) => (was.data === data && was.path === path && !was.error ? was : { path, data, error: null }));
        }
      })
      .catch((failure: unknown) => {
        const error = failure instanceof ApiError ? failure : new ApiError(0, "OFFLINE", "The service does not answer.");
        heard(error.status !== 0);
        if (error.status === 429 || error.status === 503) {
          pause(error.retryAfter || 5);
        }
        if (current.current === path) {
          setState((was) => ({ path, data: was.path === path ? was.data : null, error }));
        }
      })
      .finally(() => {
        if (running.current === path) {
          running.current = null;
        }
      });
  }, [path, beat, asked, shown]);

  const reload = useCallback(() => setAsked((count) => count + 1), []);
  return { ...state, stale: state.path !== path, reload };
}
