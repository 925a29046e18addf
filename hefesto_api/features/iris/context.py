"""What stands at a place of the code, at any commit: its function, its findings, its past and its risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.adapters.memory import Memory
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.domain import mapping
from hefesto_api.domain.structure import FileStructure
from hefesto_api.features.iris import knowledge, past
from hefesto_api.features.iris.context_shape import Shape, shape_of, shape_on_record
from hefesto_api.features.iris.context_telling import Extent, Place, nothing, told
from hefesto_api.features.iris.sources import Sources
from hefesto_api.storage import correlation_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hefesto_api.features.iris.past import PastChange
    from hefesto_api.features.iris.reading import Places
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

MOST_FINDINGS = 50
SIZE_OF_CHANGE = 1_000  # bytes that one takes in memory, about


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
    memory = Memory() if memory is None else memory  # an empty one is false
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
    return told(place, extent, near, changes)


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
