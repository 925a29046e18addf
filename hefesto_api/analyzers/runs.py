"""One run of the engine: its threads, its queues, the way to end it early, and how to begin it early."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hefesto_api.analyzers.base import Examination, SourceFile
    from hefesto_api.analyzers.pool import ParserChild

    Result = tuple[SourceFile, bytes | None]
    """A file with its packed report; without one: a file that is asked for whose report comes apart."""

# Batches are small, so that the children come to their ends together; answers travel in batches, too.
BATCH_FILES = 24
BATCH_BYTES = 64 << 10
TASKS_WAITING = 80
RESULTS_WAITING = 160
LAST_BATCHES = 16  # when no more are left, a child gets the next only when it has less than this before it
LAST_BYTES = 64 << 10
LOOK_AGAIN = 0.2  # seconds between two looks at whether the run is to end

_T = TypeVar("_T")


class Run:
    """One run: chunks of tasks go in, files with their packed reports come out of `results`, in no order."""

    def __init__(self, children: Sequence[ParserChild], tasks: Iterable[Sequence[Examination]]) -> None:
        self._children = children
        self._prepared = tasks
        self._stopping = threading.Event()
        self._all_prepared = threading.Event()
        self._error: BaseException | None = None
        self._tasks: queue.Queue[Sequence[Examination] | None] = queue.Queue(TASKS_WAITING)
        self._results: queue.Queue[Sequence[Result] | None] = queue.Queue(RESULTS_WAITING)
        self._threads = [threading.Thread(target=self._feed, name="tools", daemon=True)]
        self._threads += [
            threading.Thread(target=self._parse, args=(child,), name="parse", daemon=True)
            for child in children
        ]

    def start(self) -> None:
        """Begin; `results` may be called later."""
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Result]:
        """Yield the results until all are there; raises what went wrong in a thread."""
        running = len(self._children)
        while running and not self._stopping.is_set():
            try:
                results = self._results.get(timeout=LOOK_AGAIN)
            except queue.Empty:
                continue  # so that an error in a thread is noticed
            if results is None:
                running -= 1
            else:
                yield from results
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def note(self, result: Result) -> None:
        """Add a result from the thread that feeds the run."""
        self._put(self._results, [result])

    def wait_for(self, event: threading.Event) -> None:
        """Wait, in the thread that feeds the run, for an event or the end."""
        while not event.wait(LOOK_AGAIN) and not self._stopping.is_set():
            pass

    def stop(self) -> bool:
        """End the threads; tell whether children had to be broken off."""
        self._stopping.set()
        broken = any(thread.is_alive() for thread in self._threads)
        if broken:
            for child in self._children:
                child.break_off()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        if broken:
            for child in self._children:
                child.close()
        return broken

    def _feed(self) -> None:
        try:
            for chunk in self._prepared:
                for batch in _batches(chunk):
                    self._put(self._tasks, batch)
                if self._stopping.is_set():
                    break
        except BaseException as error:
            self._error = error
        finally:
            self._all_prepared.set()
            for _ in self._children:
                self._put(self._tasks, None)

    def _parse(self, child: ParserChild) -> None:
        try:
            for done in child.examine(self._more):
                self._put(self._results, [(task.source, packed) for task, packed in done])
        except Exception as error:
            if not self._stopping.is_set():
                self._error = error
                self._stopping.set()
        finally:
            self._put(self._results, None)

    def _more(self, wait: bool, before: int) -> Sequence[Examination] | None:
        """Return the next batch of tasks, an empty one when there is none now; None at the end."""
        if self._stopping.is_set():
            return None
        if not wait and before >= LAST_BYTES and self._is_ending():
            return ()
        try:
            return self._tasks.get(wait, LOOK_AGAIN)
        except queue.Empty:
            return ()

    def _is_ending(self) -> bool:
        return self._all_prepared.is_set() and self._tasks.qsize() <= LAST_BATCHES

    def _put(self, target: queue.Queue[_T], item: _T) -> None:
        while not self._stopping.is_set():
            try:
                target.put(item, timeout=LOOK_AGAIN)
            except queue.Full:
                continue
            return


class HeadStart:
    """The files of a run that begins before anybody knows what it will be asked for.

    First come those that are likely to be asked for; then, when `go_on` tells what really is, those of them
    that were not among the first. What came of a file waits until it is asked for.
    """

    def __init__(self, likely: Iterable[SourceFile]) -> None:
        self._likely = likely
        self._wanted: Iterable[SourceFile] = ()
        self._told = threading.Event()
        self._ahead: dict[str, SourceFile] = {}
        self.run: Run | None = None

    def chunks(self, chunked: Callable[[Iterable[SourceFile], bool], Iterator[_T]]) -> Iterator[_T]:
        """Yield the files as the function groups them; waits in between until it is told what is wanted.

        The function is told whether these are the first files, for which the children wait.
        """
        yield from chunked(self._first(), True)
        if self.run is not None:
            self.run.wait_for(self._told)
        yield from chunked(self._others(), False)

    def go_on(self, wanted: Iterable[SourceFile]) -> None:
        """Tell what is wanted; it is read in the thread that feeds the run."""
        self._wanted = wanted
        self._told.set()

    def asked_for(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield the results of the files that are wanted."""
        held: dict[str, bytes | None] = {}
        asked: set[str] = set()
        for file, packed in results:
            if self._ahead.get(file.path) is not file or file.path in asked:
                yield file, packed
            elif file.path in held:  # this says that it is asked for
                yield file, held.pop(file.path)
            elif packed is None:
                asked.add(file.path)
            else:
                held[file.path] = packed

    def _first(self) -> Iterator[SourceFile]:
        for file in self._likely:
            if self._told.is_set():
                return
            self._ahead[file.path] = file
            yield file

    def _others(self) -> Iterator[SourceFile]:
        for file in self._wanted:
            ahead = self._ahead.get(file.path)
            if ahead is None or ahead.content != file.content:
                yield file
            elif self.run is not None:
                self.run.note((ahead, None))


def _batches(chunk: Sequence[Examination]) -> Iterator[list[Examination]]:
    batch: list[Examination] = []
    size = 0
    for task in chunk:
        batch.append(task)
        size += len(task.source.content)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
