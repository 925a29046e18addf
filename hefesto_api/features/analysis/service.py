"""Asking for analyses and telling of them; carrying them out is the worker's (see `execution`)."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from hefesto_api.adapters.history import checked_out
from hefesto_api.analyzers import archives
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.analyzers.workspace import resolve
from hefesto_api.domain import audit
from hefesto_api.domain.errors import Conflict, Invalid, InvalidFilePath
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import document
from hefesto_api.storage import analyses, jobs, projects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from hefesto_api.analyzers.workspace import Location
    from hefesto_api.features.analysis.document import Found
    from hefesto_api.storage.analyses import AnalysisRecord, BatchRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

JOB = "analysis"
DEFAULT_PROJECT = "default"
MAX_ATTEMPTS = 25  # an analysis goes on where it was, so a restart costs little; a poisoned one still ends
WAIT_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1)  # seconds between looks at an analysis that somebody waits for
INPUT_BYTES = 1 << 20
MOST_COUNTED = 10_000
BROKEN_OFF = {"code": "ANALYSIS_FAILED", "message": "What was sent was not received to its end."}


def submit_path(db: Database, roots: Sequence[Path], wanted: Mapping[str, Any]) -> AnalysisRecord:
    """Queue the analysis of a file or directory beneath the allowed roots; raises InvalidFilePath."""
    slug = wanted.get("project") or DEFAULT_PROJECT
    with db.read() as session:
        project = projects.find(session, slug)
    target = _target(wanted["path"], roots, project)
    with db.write() as session:
        return _queue_path(session, projects.ensure(session, slug), target, wanted)


def roots_of(project: ProjectRecord | None, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the root of a project, where it has one that may be analysed still."""
    if project is None or project.root_path is None:
        return ()
    location = resolve(project.root_path, roots)
    return (Path(location.root, location.relative),)


def submit_files(db: Database, wanted: Mapping[str, Any]) -> AnalysisRecord:
    """Queue the analysis of files that came with the request, as `files: [{path, content}]`."""
    given = [(file["path"], file["content"]) for file in wanted["files"]]
    for _ in archives.inline(given, wanted=is_wanted):  # raises for names that lead elsewhere
        pass
    with db.write() as session:
        record = _create_given(session, "inline", given[0][0] if len(given) == 1 else "inline", wanted)
        note(record, wanted.get("project"))
        analyses.add_inputs(session, record.id, [(path, text.encode()) for path, text in given])
        _enqueue(session, record)
        return record


def submit_archive(db: Database, content: IO[bytes], name: str, wanted: Mapping[str, Any]) -> AnalysisRecord:
    """Queue the analysis of an uploaded zip or tar; its entries are checked when it is unpacked.

    The content is kept piece by piece, in short transactions; until the last of them the analysis counts
    as failed, which is what it is should this process end before.
    """
    with db.write() as session:
        record = _create_given(session, "archive", name, wanted, status="failed", error=BROKEN_OFF)
        note(record, wanted.get("project"))
    pieces = iter(lambda: content.read(INPUT_BYTES), b"")
    for number, piece in enumerate(pieces):
        with db.write(durable=False) as session:
            analyses.add_inputs(session, record.id, [(name, piece)], first=number)
    with db.write() as session:
        analyses.change(session, record.id, status="queued", error=None)
        _enqueue(session, record)
        return analyses.get(session, record.id)


def submit_batch(
    db: Database, roots: Sequence[Path], wanted: Mapping[str, Any]
) -> tuple[BatchRecord, list[AnalysisRecord]]:
    """Queue an analysis for each of several paths; one that cannot be read fails alone."""
    slug = wanted.get("project") or DEFAULT_PROJECT
    with db.read() as session:
        former = projects.find(session, slug)
    targets = [_target_or_error(path, roots, former) for path in wanted["paths"]]
    with db.write() as session:
        project = projects.ensure(session, slug)
        batch = analyses.create_batch(
            session, project_id=project.id, total_paths=len(targets), options=_options(wanted)
        )
        audit.note("batch.created", "batch", batch.id, {"paths": list(wanted["paths"])}, project=slug)
        for position, (path, target) in enumerate(zip(wanted["paths"], targets, strict=True)):
            member = {"batch_id": batch.id, "batch_position": position}
            if isinstance(target, InvalidFilePath):
                _refuse(session, project, path, wanted, target, member)
            else:
                _queue_path(session, project, target, wanted, **member)
        return analyses.batch(session, batch.id)


def wait(db: Database, analysis_id: str, seconds: float) -> AnalysisRecord:
    """Wait until an analysis has ended, at most some seconds, and return it as it is then."""
    deadline = time.monotonic() + seconds
    steps, pause = iter(WAIT_STEPS), WAIT_STEPS[0]
    while True:
        with db.read() as session:
            record = analyses.get(session, analysis_id)
        left = deadline - time.monotonic()
        if record.status not in analyses.ACTIVE or left <= 0:
            return record
        pause = next(steps, pause)
        time.sleep(min(pause, left))


def cancel(db: Database, analysis_id: str) -> AnalysisRecord:
    """Ask an analysis to stop; one that waits is cancelled at once. Raises NotFound, Conflict."""
    with db.write() as session:
        if not analyses.request_cancel(session, analysis_id):
            record = analyses.get(session, analysis_id)
            raise Conflict(f"The analysis is {record.status} already.", status=record.status)
        analyses.change(session, analysis_id, only=("queued",), status="cancelled")
        record = analyses.get(session, analysis_id)
        slug = None if record.project_id is None else projects.by_id(session, record.project_id).slug
        audit.note("analysis.cancelled", "analysis", analysis_id, project=slug)
        return record


class Listed(NamedTuple):
    """A page of analyses, the key after which the next one starts, and how many there are in all."""

    records: list[AnalysisRecord]
    next_key: tuple[str, str] | None
    total: int
    exact: bool


def listed(db: Database, wanted: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of the analyses of the projects that may be seen, the newest first.

    `wanted` holds the page, and perhaps `project` (a slug) and `status`. Raises Invalid for a cursor that
    is not of this list.
    """
    page = wanted["page"]
    before = None if page.cursor is None else _moment_and_id(page.cursor)
    with db.read() as session:
        ids = projects.chosen(session, wanted.get("project"), allowed)
        status = wanted.get("status")
        records = analyses.page(
            session, limit=page.limit + 1, offset=page.offset, project_ids=ids, status=status, before=before
        )
        total = analyses.count(session, project_ids=ids, status=status, cap=MOST_COUNTED + 1)
    shown = records[: page.limit]
    last = shown[-1] if len(records) > page.limit else None
    key = None if last is None else (last.created_at.isoformat(), last.id)
    return Listed(shown, key, min(total, MOST_COUNTED), total <= MOST_COUNTED)


def _moment_and_id(cursor: tuple[Any, ...]) -> tuple[datetime, str]:
    try:
        moment, last_id = cursor
        found = datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        raise Invalid("cursor", "This is no cursor of this list.") from None
    if found.tzinfo is None or not isinstance(last_id, str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return found, last_id


def findings_of(
    session: Session, record: AnalysisRecord, threshold: Severity, *, suppressed: bool = False
) -> Iterator[Found]:
    """Yield what an analysis found from a severity up, worst first within each of its parts."""
    if record.result_id is None:
        return
    wanted = set(Severity.at_least(threshold))
    seen: set[str] = set()
    for one in document.entries(analyses.chunks(session, record.result_id)):
        if one.severity in wanted and one.id not in seen and (suppressed or one.suppression is None):
            seen.add(one.id)
            yield one


def threshold_of(record: AnalysisRecord) -> Severity:
    """Return the least severity that an analysis was asked to show."""
    return Severity(record.options.get("severity_threshold") or Severity.MEDIUM)


class _Target(NamedTuple):
    """A path to analyse: as it was asked for, where it is, and what is checked out there."""

    path: str
    root: Path
    relative: str
    is_dir: bool
    commit: str | None
    branch: str | None


def _target(path: str, roots: Sequence[Path], project: ProjectRecord | None) -> _Target:
    base = project.root_path if project is not None else None
    location = resolve(path, roots, Path(base) if base else None)
    root, relative = beneath(location, base)
    commit, branch = checked_out(Path(location.root, location.relative), tuple(roots))
    return _Target(path, root, relative, location.is_dir, commit, branch)


def _target_or_error(
    path: str, roots: Sequence[Path], project: ProjectRecord | None
) -> _Target | InvalidFilePath:
    try:
        return _target(path, roots, project)
    except InvalidFilePath as error:
        return error


def _queue_path(
    session: Session, project: ProjectRecord, target: _Target, wanted: Mapping[str, Any], **member: Any
) -> AnalysisRecord:
    places = [[target.relative, target.is_dir]]
    record = analyses.create(
        session,
        kind="path",
        path=target.path,
        project_id=project.id,
        branch=branch_of(project, wanted.get("branch") or target.branch),
        commit_hash=wanted.get("commit_hash") or target.commit,
        diff_base=wanted.get("diff_base"),
        options=_options(wanted) | {"root": str(target.root), "places": places},
        **member,
    )
    _enqueue(session, record)
    note(record, project.slug)
    return record


def beneath(location: Location, project_root: str | None) -> tuple[Path, str]:
    """Return the root that a location's paths are relative to, and its path there.

    The project's root where that holds the location, else the allowed root.
    """
    whole = str(location.root / location.relative)
    if project_root:
        top = os.path.realpath(project_root)
        if whole == top or whole.startswith(top.rstrip("/") + "/"):
            return Path(top), whole[len(top) :].strip("/")
    return location.root, location.relative


def branch_of(project: ProjectRecord, branch: str | None) -> str:
    """Return the branch as findings are kept under it: "" is the project's default branch."""
    default = project.default_branch
    if not branch or branch == default or (default is None and branch in ("main", "master")):
        return ""
    return branch


def _create_given(
    session: Session, kind: str, path: str, wanted: Mapping[str, Any], **fields: Any
) -> AnalysisRecord:
    slug = wanted.get("project")
    if wanted.get("diff_base"):
        raise Invalid("diff_base", "Only a path beneath a git repository can be compared with a commit.")
    project = projects.ensure(session, slug) if slug else None
    return analyses.create(
        session,
        kind=kind,
        path=path,
        project_id=None if project is None else project.id,
        branch="" if project is None else branch_of(project, wanted.get("branch")),
        commit_hash=wanted.get("commit_hash"),
        options=_options(wanted) | {"places": [["", True]]},
        **fields,
    )


def note(record: AnalysisRecord, slug: str | None) -> None:
    """Note for the audit log that somebody has something analysed, or brings in what was found elsewhere."""
    told = {name: getattr(record, name) for name in ("kind", "path", "branch", "commit_hash", "diff_base")}
    audit.note("analysis.created", "analysis", record.id, audit.changed({}, told), project=slug)


def _enqueue(session: Session, record: AnalysisRecord) -> None:
    """Queue the job: one analysis of a project and branch runs at a time."""
    lane = None if record.project_id is None else f"analysis:{record.project_id}:{record.branch}"
    # A person waits for a few inline files; a tree can wait for them.
    priority = -10 if record.kind == "inline" else 0
    jobs.enqueue(
        session,
        JOB,
        {"analysis_id": record.id},
        lane=lane,
        priority=priority,
        max_attempts=MAX_ATTEMPTS,
    )


def _refuse(
    session: Session,
    project: ProjectRecord,
    path: str,
    wanted: Mapping[str, Any],
    error: InvalidFilePath,
    member: Mapping[str, Any],
) -> None:
    """Keep a path of a batch that cannot be analysed as an analysis that failed."""
    failure = {"code": error.code, "message": error.message, "details": dict(error.details)}
    analyses.create(
        session,
        kind="path",
        path=path,
        project_id=project.id,
        options=_options(wanted),
        status="failed",
        error=failure,
        **member,
    )


def _options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    names = ("analyzers", "severity_threshold", "exclude_patterns", "format")
    return {name: wanted[name] for name in names if wanted.get(name)}
