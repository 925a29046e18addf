// Reading a resource within a component, again when what it shows may have changed.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, get } from "./api";
import { beatOf, heard, isPaused, pause } from "./live";
import { rest } from "./pace";
import { person } from "./session";

const AWAITED_MS = 30_000;

export interface Read<T> {
  data: T | null;
  error: ApiError | null;
  /** Whether the data shown belong to the path asked for before. */
  stale: boolean;
  /** When the data shown were asked for. */
  readAt: number;
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
  const beat = still || path === null ? 0 : beatOf(path);
  const readAt = useRef(0);
  const again = useRef(false);
  const shown = person.value;
  const current = useRef(path);
  current.current = path;

  useEffect(() => {
    if (path === null) {
      return;
    }
    if (running.current === path) {
      again.current = true; // what is on its way may not know of it yet
      return;
    }
    running.current = path;
    again.current = false;
    const began = Date.now();
    get<T>(path)
      .then((data) => {
        heard(true);
        if (current.current === path) {
          readAt.current = began;
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
          if (again.current) {
            setAsked((count) => count + 1);
          }
        }
      });
  }, [path, beat, asked, shown]);

  const reload = useCallback(() => setAsked((count) => count + 1), []);
  return { ...state, stale: state.path !== path, readAt: readAt.current, reload };
}

/** Look again, more and more seldom, until what is worked out meanwhile is there. */
export function useAwaited(missing: string, look: () => void): void {
  useEffect(() => {
    if (!missing) {
      return;
    }
    let wait = 200;
    let timer = 0;
    const next = () => {
      timer = window.setTimeout(() => {
        if (!document.hidden && !isPaused()) {
          look();
        }
        wait *= 2;
        if (wait < AWAITED_MS) {
          next();
        }
      }, Math.max(wait, rest(true)));
    };
    next();
    return () => clearTimeout(timer);
  }, [missing, look]);
}
