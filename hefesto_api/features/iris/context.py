"""What stands at a place of the code, at any commit: its function, its findings, its past and its risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.adapters.memory import Memory
from hefesto_api.analyzers import catalogue
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.domain import clock, mapping
from hefesto_api.domain.quality import complexity_grade
from hefesto_api.domain.structure import FileStructure
from hefesto_api.features.iris import context_risk, knowledge, past
from hefesto_api.features.iris.context_shape import Shape, shape_of, shape_on_record
from hefesto_api.features.iris.sources import Sources
from hefesto_api.storage import correlation_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hefesto_api.domain.structure import Function
    from hefesto_api.features.iris.past import PastChange
    from hefesto_api.features.iris.reading import Places
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

SNIPPET_LINES = 80
SNIPPET_COLUMNS = 200
AROUND = 5
MOST_FINDINGS = 50
SIZE_OF_CHANGE = 1_000  # bytes that one takes in memory, about


class Place(NamedTuple):
    """A place that was found: a line of a file as of a commit (None: as it is now)."""

    path: str
    line: int | None
    commit: str | None
    text: bytes | None
    shape: Shape

    @property
    def holds_line(self) -> bool:
        """Whether the file has the line."""
        return self.is_only_named or 0 < (self.line or 1) <= max(self.shape.length, 1)

    @property
    def is_only_named(self) -> bool:
        """Whether all that is known of the file are findings that name it (another tool's, imported)."""
        return self.text is None and not self.shape.structure.lines


class Extent(NamedTuple):
    """The lines that a place stands for, and its function, if it is in one."""

    start: int
    end: int
    function: Function | None


def code_context(
    db: Database,
    project: ProjectRecord | None,
    roots: Sequence[Path] | None,
    file_path: str,
    line_number: int | None = None,
    commit_hash: str | None = None,
    memory: Memory | None = None,
) -> dict[str, Any]:
    """Return the code context of a place, JSON throughout; see `nothing` for one that is unknown.

    `file_path` may be a path of the machine that ran the code. Never raises for what is not known.
    Pass the process's `memory`, or every call begins with nothing.
    """
    if project is None:
        return nothing(file_path, line_number)
    memory = memory or Memory()
    sources = Sources(db, project, roots)
    place = _found(db, project, sources, memory, file_path, line_number, commit_hash)
    if place is None or not place.holds_line:
        return nothing(file_path, line_number)
    extent = _extent(place)
    with db.read() as session:
        near = _near(session, project.id, place, extent)
    if place.is_only_named and not near:
        return nothing(file_path, line_number)
    changes = _changes(db, project, sources, memory, place, extent)
    return _told(place, extent, near, changes)


def nothing(file_path: str, line_number: int | None) -> dict[str, Any]:
    """Return the context of a place that is unknown: `found` is false, names null, grade A."""
    return {
        "found": False,
        "file_path": file_path,
        "line_number": line_number,
        "commit_hash": None,
        "function_name": None,
        "class_name": None,
        "start_line": None,
        "end_line": None,
        "code_snippet": None,
        "snippet_start_line": None,
        "complexity": {
            "score": 0,
            "grade": "A",
            "details": "Nothing is known of this place.",
            "cognitive": 0,
        },
        "security_findings": [],
        "code_smells": [],
        "best_practices_violations": [],
        "recent_changes": None,
        "change_history": [],
        "risk_score": 0.0,
        "risk_factors": [],
    }


def _found(
    db: Database,
    project: ProjectRecord,
    sources: Sources,
    memory: Memory,
    file_path: str,
    line: int | None,
    revision: str | None,
) -> Place | None:
    """Find the file, and its text as of the revision, else what an analysis left of it."""
    with db.read() as session:
        path = path_of(session, memory, project, file_path)
        if path is None:
            return None
        content = correlation_inputs.content_of(session, project.id, path)
    commit = sources.resolve(revision) if revision else None
    if revision and commit is None and sources.repositories:
        return None
    text = sources.read(path, commit) if commit or not revision else None
    if text is not None:
        return Place(path, line, commit, text, shape_of(db, memory, path, text))
    if commit is not None:
        return None
    shape = None
    if content is not None and content.language is not None:
        shape = shape_on_record(db, content.sha256, content.language)
    return Place(path, line, None, None, shape or Shape(FileStructure("text", 0, 0), None))


def path_of(session: Session, memory: Memory, project: ProjectRecord, file_path: str) -> str | None:
    """Return what the project calls a path, which may be one of the machine that ran the code.

    A path that no analysis saw is taken as it is when it is one that an analysis would read: a repository
    may have it at another commit. Nothing else of a tree is ever read.
    """
    where = _places(session, memory, project)
    found = where.index.find(file_path, where.mappings)
    if found.path is not None:
        return found.path
    path = mapping.normalized(file_path)
    parts = path.split("/")
    plain = not any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    return path if plain and not found.candidates and is_wanted(path) else None


def is_analysed(session: Session, memory: Memory, project: ProjectRecord, path: str) -> bool:
    """Tell whether an analysis saw a path of a project (or a finding names it)."""
    return path in _places(session, memory, project).index


def _places(session: Session, memory: Memory, project: ProjectRecord) -> Places:
    latest = correlation_inputs.latest_analysis(session, project.id)
    return knowledge.places_of(session, memory, project, latest.id if latest else "")[0]


def _extent(place: Place) -> Extent:
    if place.line is None:
        return Extent(1, max(place.shape.length, 1), None)
    function = place.shape.structure.enclosing(place.line)
    if function is not None:
        return Extent(function.start_line, function.end_line, function)
    return Extent(place.line, place.line, None)


def _near(session: Session, project_id: str, place: Place, extent: Extent) -> dict[str, list[NearFinding]]:
    """Return the open findings of the function (else of the lines) by analyzer.

    They stand where the latest analysis saw them: those of a function are found by its name first.
    """
    near: dict[str, list[NearFinding]] = {}
    for one in correlation_inputs.findings_in(session, project_id, [place.path]):
        if one.status == "open" and _belongs(one, place, extent):
            held = near.setdefault(one.analyzer, [])
            if len(held) < MOST_FINDINGS:
                held.append(one)
    return near


def _belongs(one: NearFinding, place: Place, extent: Extent) -> bool:
    if place.line is None:
        return True
    if extent.function is not None and one.function_name:
        name = extent.function.qualified_name
        return one.function_name == name or one.function_name.startswith(f"{name}.")
    return one.line <= extent.end and max(one.end_line, one.line) >= extent.start


def _changes(
    db: Database, project: ProjectRecord, sources: Sources, memory: Memory, place: Place, extent: Extent
) -> list[PastChange]:
    """Return the commits that changed the lines: as of the commit, else of what is checked out.

    A tree whose text is not that of the commit is compared by the function's name.
    """
    if place.text is None:
        return []
    with db.read() as session:
        at = place.commit or sources.head(place.path)
        if at is None or past.commit_of(session, project.id, at) is None:
            at = None if place.commit else past.latest(session, project.id)
    if at is None:
        return []
    text = place.text if at == place.commit else sources.read(place.path, at)
    if text is None:
        return []
    start, end = extent.start, extent.end
    if text != place.text:
        shape = shape_of(db, memory, place.path, text)
        function = shape.named(extent.function.qualified_name) if extent.function else None
        if function is not None:
            start, end = function.start_line, function.end_line
        elif place.line is None:
            end = max(shape.length, 1)
        else:
            return []
    with db.read() as session:
        key = ("changes", past.state(session, project.id), project.id, place.path, start, end, at)
        found: list[PastChange] | None = memory.get(key)
        if found is None:
            found = past.function_changes(session, project.id, place.path, start, end, at)
            memory.keep(key, found, SIZE_OF_CHANGE * (1 + len(found)))
    return found


def _told(
    place: Place,
    extent: Extent,
    near: Mapping[str, list[NearFinding]],
    changes: Sequence[PastChange],
) -> dict[str, Any]:
    function, complexity = extent.function, _complexity(place, extent)
    start, snippet = _snippet(place, extent)
    score, factors = context_risk.assess(complexity["grade"], complexity["score"], near, changes, clock.now())
    history = [_change(one) for one in changes]
    return {
        "found": True,
        "file_path": place.path,
        "line_number": place.line,
        "commit_hash": place.commit,
        "function_name": function.qualified_name if function else None,
        "class_name": _class_of(place, function),
        "start_line": extent.start,
        "end_line": extent.end,
        "code_snippet": snippet,
        "snippet_start_line": start,
        "complexity": complexity,
        "security_findings": [_finding(one) for one in near.get("security", ())],
        "code_smells": [_finding(one) for one in near.get("code_smells", ())],
        "best_practices_violations": [_finding(one) for one in near.get("best_practices", ())],
        "recent_changes": _recent(history),
        "change_history": history,
        "risk_score": score,
        "risk_factors": factors,
    }


def _class_of(place: Place, function: Function | None) -> str | None:
    if function is not None and function.class_name:
        return function.class_name
    return place.shape.class_at(place.line) if place.line is not None else None


def _complexity(place: Place, extent: Extent) -> dict[str, Any]:
    """Return the complexity of the function; of a whole file, that of its most complex one."""
    functions = place.shape.structure.functions
    function = extent.function
    if function is None and place.line is None:
        function = max(functions, key=lambda one: (one.cyclomatic, one.cognitive), default=None)
    if function is None:
        details = "The line is in no function." if place.line is not None else "The file has no function."
        return {"score": 0, "grade": "A", "details": details, "cognitive": 0}
    of_file = f" The most complex of {len(functions)} functions." if place.line is None else ""
    details = (
        f"{function.qualified_name}: {function.lines} lines, {function.parameters} parameters, "
        f"blocks nested {function.nesting} deep.{of_file}"
    )
    return {
        "score": function.cyclomatic,
        "grade": complexity_grade(function.cyclomatic),
        "details": details,
        "cognitive": function.cognitive,
    }


def _snippet(place: Place, extent: Extent) -> tuple[int | None, str | None]:
    """Return the lines of the function with secrets masked: of a long one, those around the line."""
    lines = place.shape.lines
    if lines is None:
        return None, None
    first, last = extent.start, extent.end
    if extent.function is None and place.line is not None:
        first, last = max(place.line - AROUND, 1), place.line + AROUND
    if last - first >= SNIPPET_LINES:
        line = place.line or first
        first = min(max(line - SNIPPET_LINES // 2, first), last - SNIPPET_LINES + 1)
        last = first + SNIPPET_LINES - 1
    return first, "\n".join(line[:SNIPPET_COLUMNS] for line in lines[first - 1 : last])


def _finding(one: NearFinding) -> dict[str, Any]:
    rule = catalogue.RULES.get(one.rule_id)
    return {
        "id": one.id,
        "severity": one.severity,
        "type": rule.slug if rule else one.rule_id,
        "rule_id": one.rule_id,
        "line": one.line,
        "description": one.description,
    }


def _change(one: PastChange) -> dict[str, Any]:
    return {
        "commit_hash": one.commit.hash,
        "author": one.commit.author,
        "timestamp": clock.rfc3339(one.commit.time),
        "commit_message": one.commit.message,
        "file_path": one.path,
        "start_line": one.start_line,
        "end_line": one.end_line,
        "kind": one.kind,
    }


def _recent(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not history:
        return None
    latest = history[0]
    return {
        "last_modified": latest["timestamp"],
        "commit_hash": latest["commit_hash"],
        "author": latest["author"],
        "commit_message": latest["commit_message"],
    }
