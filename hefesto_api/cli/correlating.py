"""What `hefesto correlate` reads: the tree, the facts of the files that matter, findings and commits."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.adapters.history import open_history
from hefesto_api.analyzers import facts
from hefesto_api.analyzers.workspace import open_root, resolve
from hefesto_api.cli import state
from hefesto_api.domain import traces
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.correlation import Change, Crash, Ranking, gather, rank
from hefesto_api.domain.errors import HefestoError, InvalidFilePath
from hefesto_api.domain.hunks import line_after
from hefesto_api.domain.mapping import PathIndex, PathMapping, crash_of
from hefesto_api.features.analysis import local
from hefesto_api.features.iris import evidence, telling
from hefesto_api.storage import correlation_inputs, projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.adapters.history import History
    from hefesto_api.analyzers.workspace import Tree
    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.hunks import Hunks
    from hefesto_api.domain.traces import Trace
    from hefesto_api.features.analysis.local import Selection
    from hefesto_api.storage.correlation_inputs import NearFinding

COMMITS = 40  # of the newest that are looked through
MOST_SEARCHED = 1 << 28  # bytes that are read to find who has a name
SUFFIXES = frozenset((
    ".py", ".pyi", ".pyx", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte", ".java",
    ".kt", ".kts", ".scala", ".groovy", ".go", ".rs", ".rb", ".php", ".cs", ".fs", ".vb", ".c",
    ".cc", ".cpp", ".cxx", ".h", ".hpp", ".hh", ".m", ".mm", ".swift", ".dart", ".ex", ".exs",
    ".erb", ".html", ".jinja2",
))  # fmt: skip


class Answer(NamedTuple):
    """What was found, with the sources to show."""

    trace: Trace
    crash: Crash
    ranking: Ranking
    findings: Mapping[str, NearFinding]
    sources: Mapping[str, Sequence[str]]
    top: Path
    files: int

    def told(self) -> dict[str, Any]:
        """Return the answer in the shape of the service's own."""
        raised = self.crash
        alert = IncomingAlert(
            alert_id="", source="cli", error_type=raised.error_type, error_message=raised.error_message
        )
        return {"correlation_id": None} | telling.told(alert, self.crash, self.ranking, self.findings, None)


class Texts:
    """The texts of a project's files, read when the first name is looked for."""

    def __init__(self, tree: Tree, paths: Sequence[str]) -> None:
        self._tree = tree
        self._paths = paths

    def naming(self, name: str) -> list[str]:
        """Return the files in which a name stands as a word; none in a project too large to be searched."""
        wanted, plain = re.compile(rb"\b%s\b" % re.escape(name.encode())), name.encode()
        return [path for path, text in self._texts.items() if plain in text and wanted.search(text)]

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        left = MOST_SEARCHED
        for path in self._paths:
            with suppress(InvalidFilePath):
                found[path] = self._tree.read(path)
                left -= len(found[path])
            if left < 0:  # what is rare among some of the files says nothing
                return {}
        return found


def correlate(
    text: str, repo: str, mappings: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> Answer:
    """Correlate a trace with the code of a folder; raises InvalidFilePath when that cannot be read."""
    (selection,) = local.select([repo])
    trace = traces.parse(text)
    pairs = tuple(PathMapping(*one) for one in mappings)
    with open_root(resolve(str(selection.top), [selection.top])) as tree:
        entries = tree.discover(wanted=_is_code).entries
        index = PathIndex(one.path for one in entries)
        crash = crash_of(trace, index, pairs)
        read: dict[str, bytes] = {}
        texts = Texts(tree, [one.path for one in entries])
        code = gather(crash, lambda path: _facts(tree, path, read), index, find=texts.naming)
        crash = crash_of(trace, index, pairs, code)
        near = _findings(selection, code, environ)
        changes = _changes(open_history(selection.top), code)
        ranking = rank(crash, code, findings=[evidence.known(one) for one in near], changes=changes)
        for path in {one.file_path for one in ranking.suspects} - read.keys():
            with suppress(InvalidFilePath):
                read[path] = tree.read(path)
    sources = {
        one.file_path: read[one.file_path].decode("utf-8", "replace").splitlines()
        for one in ranking.suspects
        if one.file_path in read
    }
    return Answer(trace, crash, ranking, {one.id: one for one in near}, sources, selection.top, len(entries))


def _is_code(path: str) -> bool:
    return Path(path).suffix.lower() in SUFFIXES


def _facts(tree: Tree, path: str, read: dict[str, bytes]) -> FileFacts | None:
    try:
        read[path] = tree.read(path)
    except InvalidFilePath:
        return None
    return facts.extract(path, read[path])


def _findings(
    selection: Selection, code: Mapping[str, FileFacts], environ: Mapping[str, str]
) -> list[NearFinding]:
    """Return what `hefesto analyze` found in the files that matter, if it was ever run here."""
    try:
        if not environ.get(state.VARIABLE) and not (state.folder(environ) / "hefesto.db").is_file():
            return []
        with state.opened(environ, lambda _: None) as db, db.read() as session:
            project = projects.find(session, selection.project)
            return correlation_inputs.findings_in(session, project.id, list(code)) if project else []
    except HefestoError:
        return []


def _changes(history: History, code: Mapping[str, FileFacts]) -> list[Change]:
    """Return the newest commits that touched functions of the files that matter.

    Nothing tells here what runs where: they are neither new nor known to be deployed.
    """
    found: list[Change] = []
    try:
        head = history.head()
        if head is None:
            return []
        later: dict[str, list[Hunks]] = {}
        for logged in history.log(head.hash, lambda _: False, COMMITS):
            touched = [one for one in history.changes(logged.hash) if one.path in code]
            if not touched:
                continue
            commit = history.commit(logged.hash)
            for one in touched:
                names = _functions(code[one.path], one.hunks or (), later.get(one.path, []))
                found.extend(
                    Change(
                        commit_hash=commit.hash,
                        path=one.path,
                        author=commit.author,
                        timestamp=commit.time,
                        message=commit.message,
                        function_name=name,
                    )
                    for name in names
                )
                later.setdefault(one.path, []).append(one.hunks or ())
    except HefestoError:
        pass
    return found


def _functions(of: FileFacts, hunks: Hunks, later: Sequence[Hunks]) -> list[str]:
    """Return the functions that hunks touched, their lines followed through the later commits."""
    names: dict[str, None] = {}
    for hunk in hunks:
        for line in range(hunk.new_start, hunk.new_start + min(max(hunk.new_lines, 1), 400)):
            now: int | None = line
            for each in reversed(later):
                now = line_after(each, now) if now is not None else None
            function = of.enclosing(now) if now is not None else None
            if function is not None:
                names[function.qualified_name] = None
    return list(names)
