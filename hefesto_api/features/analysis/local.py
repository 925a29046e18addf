"""Analysing paths of this machine without a server: what the command line does."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.adapters.history import checked_out, top_level
from hefesto_api.analyzers.workspace import resolve
from hefesto_api.domain import clock
from hefesto_api.features.analysis import execution
from hefesto_api.features.analysis.run import Interrupted
from hefesto_api.features.analysis.service import branch_of
from hefesto_api.storage import analyses, projects, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.features.analysis.run import Hooks
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

KIND = "cli"
_EVERYWHERE = (Path("/"),)


class Selection(NamedTuple):
    """What one analysis looks at: places beneath a top, as (relative path, is it a directory)."""

    top: Path
    places: tuple[tuple[str, bool], ...]

    @property
    def path(self) -> str:
        """The path that the analysis is known by: its one place, or "." for the top and for several."""
        return (self.places[0][0] if len(self.places) == 1 else "") or "."

    @property
    def project(self) -> str:
        """The slug of the top's project: its name, and what tells it from another folder of that name."""
        name = re.sub(r"[^a-z0-9]+", "-", self.top.name.lower()).strip("-")[:40] or "root"
        return f"{name}-{sha256(os.fsencode(self.top)).hexdigest()[:8]}"


def select(paths: Iterable[str]) -> list[Selection]:
    """Sort paths by the analysis they belong to: one for each git work tree, else for each folder.

    A folder outside git that lies in another one that was named belongs to that one. Raises
    InvalidFilePath for a path that is not there, or is neither file nor folder, or cannot be read.
    """
    tops: dict[Path, list[tuple[str, bool]]] = {}
    for place, is_dir, top in _located(paths):
        tops.setdefault(top, []).append((place[len(str(top)) :].strip("/"), is_dir))
    return [Selection(top, _without_repeats(tops[top])) for top in sorted(tops)]


def create(
    db: Database, selection: Selection, wanted: Mapping[str, Any], diff_base: str | None = None
) -> AnalysisRecord:
    """Create the analysis of a selection, ready for `execution.execute`; `wanted` are its options.

    The caller lets no other command analyse that project meanwhile: whatever of it is still active was
    broken off, and is marked as failed here.
    """
    commit, branch = checked_out(selection.top)
    with db.write(durable=False) as session:
        project = projects.find(session, selection.project) or projects.create(
            session, selection.project, name=selection.top.name, root_path=str(selection.top)
        )
        _give_up(session, project.id)
        return analyses.create(
            session,
            kind=KIND,
            path=selection.path,
            project_id=project.id,
            branch=branch_of(project, branch),
            commit_hash=commit,
            diff_base=diff_base,
            options=dict(wanted) | {"root": str(selection.top), "places": [*map(list, selection.places)]},
        )


def analyse(
    db: Database,
    engine: Engine,
    selection: Selection,
    wanted: Mapping[str, Any],
    *,
    diff_base: str | None = None,
    hooks: Hooks | None = None,
) -> AnalysisRecord:
    """Analyse a selection now and return the analysis's row, which also tells of a failure.

    Raises Interrupted when the hooks say stop; the analysis is cancelled then.
    """
    record = create(db, selection, wanted, diff_base)
    try:
        return execution.execute(db, engine, record.id, hooks)
    except Interrupted:
        with db.write() as session:
            ended = {"status": "cancelled", "finished_at": clock.now()}
            analyses.change(session, record.id, only=analyses.ACTIVE, **ended)
        raise


def functions_in(db: Database, record: AnalysisRecord) -> int:
    """Count the functions in the files that an analysis covered."""
    order = execution.order_of(record)
    with db.read() as session:
        counts = recorded.functions_in(session, record.project_id or "", record.branch)
    return sum(count for path, count in counts.items() if order.covers(path))


def _located(paths: Iterable[str]) -> list[tuple[str, bool, Path]]:
    """Return (real path, is it a directory, top) for each path."""
    tops: dict[str, Path | None] = {}
    found: list[tuple[str, bool, str, Path | None]] = []
    for path in paths:
        location = resolve(os.path.abspath(path), _EVERYWHERE)  # noqa: PTH100 - ".." as the shell means it
        real = str(location.root / location.relative)
        folder = real if location.is_dir else os.path.dirname(real)  # noqa: PTH120 - hundreds of files
        if folder not in tops:
            tops[folder] = top_level(folder)
        found.append((real, location.is_dir, folder, tops[folder]))
    loose = sorted({folder for _, _, folder, top in found if top is None}, key=len)
    return [(real, is_dir, top or _outermost(folder, loose)) for real, is_dir, folder, top in found]


def _outermost(folder: str, named: Sequence[str]) -> Path:
    """Return the outermost of the named folders that holds a folder, itself among them."""
    return Path(next(one for one in named if folder == one or folder.startswith(one.rstrip("/") + "/")))


def _without_repeats(places: Sequence[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Drop places that lie in others."""
    folders = {place for place, is_dir in places if is_dir}
    if "" in folders:
        return (("", True),)
    kept = {place: is_dir for place, is_dir in sorted(places) if folders.isdisjoint(_above(place))}
    return tuple(kept.items())


def _above(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _give_up(session: Session, project_id: str) -> None:
    error = {"code": "ANALYSIS_FAILED", "message": "The command that carried it out was ended."}
    for status in analyses.ACTIVE:
        for left in analyses.page(session, limit=100, project_id=project_id, status=status):
            if left.kind == KIND:
                analyses.change(
                    session,
                    left.id,
                    only=analyses.ACTIVE,
                    status="failed",
                    error=error,
                    finished_at=clock.now(),
                )
