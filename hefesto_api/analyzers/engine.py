"""The engine: source files in, packed reports out, on every core, with nothing from the tree executed.

Three stages run side by side. The *tool* stage writes each chunk of files under neutral names into a private
folder and runs the batch tools there: no tool ever works inside the tree it looks at, meets its links or
reads its configuration. The *parse* stage hands the files, with what the tools said, to parser children.
The caller takes the reports as they come, in no order. Queues are short, so memory is bounded by chunks.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from hashlib import sha256
from importlib import metadata, resources
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hefesto_api.analyzers.base import Examination, SourceFile, ToolFailure
from hefesto_api.analyzers.catalogue import is_test_path, is_vendored_path
from hefesto_api.analyzers.pool import ParserChild
from hefesto_api.analyzers.registry import Thresholds, batch_tools
from hefesto_api.analyzers.runs import HeadStart, Run
from hefesto_api.domain.errors import AnalysisFailed, HefestoError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from importlib.resources.abc import Traversable

    from hefesto_api.analyzers.base import BatchTool
    from hefesto_api.analyzers.runs import Result
    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.structure import FileStructure

# Chunks grow, so that the children have work while the tools take the next, larger one. Each start of
# ruff costs 7 ms.
FIRST_CHUNK = 48
CHUNK_FILES = 512
CHUNK_GROWTH = 1.6
CHUNK_BYTES = 16 << 20
SPLIT_SECONDS = 60.0  # for finding the files that a tool dies of among the others of their chunk
GRAMMARS = ("python", "javascript", "typescript", "java", "go")

# Thousands of files live there for a moment each: memory, where there is some, saves the disk the work.
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108 - mkdtemp within


class ContentKey(NamedTuple):
    """Under what a report is kept: the content, and what else of a file decides what is said of it."""

    sha256: str
    variant: str


class Engine:
    """Runs the whole examination; keeps its parser children between runs.

    `version` names the rules, the code, the tools and the thresholds: a report made by another version is
    not ours. `processes` is the number of parser children, where none are handed over that were made for
    the same thresholds; `examined` counts the files of all runs.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        processes: int = 2,
        children: Sequence[ParserChild] = (),
    ) -> None:
        self.thresholds = thresholds or Thresholds()
        self.version = _version(self.thresholds)
        self.examined = 0
        self._children = list(children) or [ParserChild(self.thresholds) for _ in range(max(processes, 1))]
        self._running: Run | None = None
        self._begun: HeadStart | None = None

    def begin(self, likely: Iterable[SourceFile]) -> None:
        """Begin to examine files that the next `run` will most likely be asked for.

        That goes on beside what the caller does until then. `likely` is consumed in another thread, a few
        chunks ahead, and no further once `run` is called; what that is not asked for is dropped.
        """
        self._settle()
        for child in self._children:
            child.start()
        begun = self._begun = HeadStart(likely)
        begun.run = self._running = Run(self._children, begun.chunks(_prepared))
        begun.run.start()

    def run(self, files: Iterable[SourceFile]) -> Generator[tuple[SourceFile, bytes], None, None]:
        """Yield (file, packed report) for every file, as they are done; see `child.unpack`.

        `files` is consumed in another thread, a chunk ahead. Closing the iterator ends everything.
        """
        begun = self._begun
        if begun is None or begun.run is None:
            yield from self._carry_out(self._with_children(files))
            return
        self._begun = None
        begun.go_on(files)
        yield from self._results(begun.run, begun.asked_for(begun.run.results()))

    def describe(
        self, found: Iterable[tuple[SourceFile, Sequence[Detection], FileStructure | None]]
    ) -> Generator[tuple[SourceFile, bytes], None, None]:
        """Yield reports that hold the given detections alone, with their place, fingerprints, suppressions.

        For what takes more than one file to see, and so is found outside the children. With the structure
        that is on record of a content, it is hardly ever parsed again.
        """
        tasks = (
            Examination(file, tuple(detections), only_given=True, shape=shape)
            for file, detections, shape in found
        )
        yield from self._carry_out([task] for task in tasks)

    def _with_children(self, files: Iterable[SourceFile]) -> Iterator[list[Examination]]:
        """Yield the tasks of files; the children start while the tools look at the first of them."""
        waiting = iter(files)
        some = list(islice(waiting, len(self._children)))
        for child in self._children[: len(some)]:
            child.start()
        yield from _prepared(chain(some, waiting))

    def _carry_out(
        self, tasks: Iterable[Sequence[Examination]]
    ) -> Generator[tuple[SourceFile, bytes], None, None]:
        self._settle()
        run = self._running = Run(self._children, tasks)
        run.start()
        yield from self._results(run, run.results())

    def _results(
        self, run: Run, results: Iterable[Result]
    ) -> Generator[tuple[SourceFile, bytes], None, None]:
        try:
            for file, packed in results:
                if packed is not None:
                    self.examined += 1
                    yield file, packed
        finally:
            if run is self._running:
                self._settle()

    def _settle(self) -> None:
        """End the run at hand, if its iterator was left in the middle and nobody has closed it yet."""
        run, self._running, self._begun = self._running, None, None
        if run is not None and run.stop():
            self._children = [ParserChild(self.thresholds) for _ in self._children]

    def close(self) -> None:
        """End the run at hand and the parser children."""
        self._settle()
        for child in self._children:
            child.close()


def content_key(file: SourceFile) -> ContentKey:
    """Return the key of a file's report: its content's hash, its language and what its path tells."""
    traits = [file.language or "text"]
    if is_test_path(file.path):
        traits.append("test")
    if is_vendored_path(file.path):
        traits.append("vendored")
    name = file.path.rpartition("/")[2]
    if name in ("__init__.py", "conftest.py", "__main__.py"):
        traits.append(name)
    elif file.language is None:
        traits.append(name.rpartition(".")[2].lower()[:16])
    return ContentKey(sha256(file.content).hexdigest(), "/".join(traits))


def _chunks(files: Iterable[SourceFile], first: bool) -> Iterator[list[SourceFile]]:
    chunk: list[SourceFile] = []
    size, most = 0, FIRST_CHUNK if first else CHUNK_FILES
    for file in files:
        chunk.append(file)
        size += len(file.content)
        if len(chunk) >= most or size >= CHUNK_BYTES:
            yield chunk
            chunk, size, most = [], 0, min(int(most * CHUNK_GROWTH), CHUNK_FILES)
    if chunk:
        yield chunk


def _prepared(files: Iterable[SourceFile], first: bool = True) -> Iterator[list[Examination]]:
    """Yield the tasks of files, a chunk at a time, with what the batch tools say.

    `first`: the children have nothing to do yet.
    """
    return map(_tooled, _chunks(files, first))


def _tooled(chunk: Sequence[SourceFile]) -> list[Examination]:
    """Ask the batch tools about a chunk; one that fails is noted with every file it should have seen."""
    said: list[list[Detection]] = [[] for _ in chunk]
    failures: list[list[ToolFailure]] = [[] for _ in chunk]
    for tool in batch_tools():
        wanted = [index for index, file in enumerate(chunk) if file.language in tool.languages]
        for index, outcome in _looked_at(tool, chunk, wanted, time.monotonic() + SPLIT_SECONDS):
            if isinstance(outcome, ToolFailure):
                failures[index].append(outcome)
            else:
                said[index] += outcome
    return [
        Examination(file, tuple(found), tuple(failed))
        for file, found, failed in zip(chunk, said, failures, strict=True)
    ]


def _looked_at(
    tool: BatchTool, chunk: Sequence[SourceFile], wanted: Sequence[int], until: float
) -> Iterator[tuple[int, list[Detection] | ToolFailure]]:
    """Yield what a tool finds, or that it failed, by the file's index.

    A file that a tool dies of takes no other along: those it died of together are halved until it is alone.
    """
    if not wanted:
        return
    try:
        yield from _run_tool(tool, chunk, wanted).items()
    except (HefestoError, OSError) as error:
        if isinstance(error, AnalysisFailed) and len(wanted) > 1 and time.monotonic() < until:
            middle = len(wanted) // 2
            yield from _looked_at(tool, chunk, wanted[:middle], until)
            yield from _looked_at(tool, chunk, wanted[middle:], until)
        else:
            failure = ToolFailure(tool.name, str(error))
            yield from ((index, failure) for index in wanted)


def _run_tool(
    tool: BatchTool, chunk: Sequence[SourceFile], wanted: Sequence[int]
) -> dict[int, list[Detection]]:
    folder = tempfile.mkdtemp(prefix="hefesto-", dir=_MEMORY)
    try:
        names = {_lay_out(folder, index, chunk[index]): index for index in wanted}
        found = tool.run(Path(folder), [(name, chunk[index]) for name, index in names.items()])
        return {names[name]: detections for name, detections in found.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: str, index: int, file: SourceFile) -> str:
    """Write one file under a neutral name that keeps only what the tools need: suffix, `__init__.py`.

    By system calls: a Path and a file object for each took three times as long.
    """
    suffix = ".pyi" if file.path.endswith(".pyi") else ".py"
    name = f"f{index}{suffix}"
    if file.path.rpartition("/")[2] == "__init__.py":
        os.mkdir(f"{folder}/p{index}", 0o700)  # noqa: PTH102
        name = f"p{index}/__init__.py"
    descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(file.content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
    return name


def _version(thresholds: Thresholds) -> str:
    """Hash the engine's own code and rules, its tools' versions and the thresholds."""
    digest = sha256(msgspec.msgpack.encode(thresholds))
    for package in ("ruff", "tree-sitter", *(f"tree-sitter-{grammar}" for grammar in GRAMMARS)):
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for room in ("analyzers", "domain"):
        for path in sorted(_sources(resources.files("hefesto_api") / room)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# Rooms of the same floors that no report depends on.
_ELSEWHERE = frozenset({"facts", "traces", "correlation"})


def _sources(folder: Traversable) -> Iterator[Path]:
    top = Path(str(folder))
    found = (path for path in top.rglob("*") if path.suffix in (".py", ".toml"))
    return (path for path in found if _ELSEWHERE.isdisjoint(path.relative_to(top).parts))
