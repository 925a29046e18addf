"""Files that were renamed: their findings go with them, before anything else is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.analyzers import child
from hefesto_api.domain.identity import FileTraits, renames
from hefesto_api.features.analysis.record import Examined
from hefesto_api.storage import contents, recorded, sightings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hefesto_api.analyzers.base import FileReport
    from hefesto_api.features.analysis.run import Run

AT_MOST = 5_000  # files that appeared, whose reports are held in memory until the moves are known


def follow(run: Run, missing: list[str]) -> set[str]:
    """Find the files among those that appeared which are missing ones under a new name.

    Their findings are carried over, the files that appeared are written, and `missing` loses those that
    were found again. Returns the paths that are done.
    """
    project_id = run.order.project_id or ""
    appeared = [file for file in run.source.files if file.path not in run.recorded][:AT_MOST]
    if not appeared:
        return set()
    reports = {one.file.path: one for one in run.examined(appeared)}
    reports |= {one.file.path: one for one in run.on_record(run.intake.known)}
    reports |= dict(_twins(run, list(reports.values())))
    run.intake.known.clear()
    run.intake.twins.clear()
    found = renames(
        _traits_on_record(run, missing),
        {path: traits_of(one.key[0], one.report) for path, one in reports.items()},
    )
    if found:
        with run.db.write(durable=False) as session:
            writer = run.begin(session)
            sightings.move(session, project_id, run.order.branch, found, writer.now)
            contents.drop_files(session, project_id, run.order.branch, found.values())
    moved = set(found.values())
    missing[:] = [path for path in missing if path not in moved]
    for path in moved:
        run.recorded.pop(path)
    run.write_all(reports.values())
    return set(reports)


def _twins(run: Run, examined: Sequence[Examined]) -> Iterator[tuple[str, Examined]]:
    """Yield the files that share the content of one that was examined."""
    by_key = {one.key: one for one in examined}
    for key, files in run.intake.twins.items():
        for file in files[1:]:
            yield file.path, Examined(file, key, by_key[key].report, by_key[key].packed)


def _traits_on_record(run: Run, paths: Sequence[str]) -> dict[str, FileTraits]:
    ids = {path: run.recorded[path].content_id for path in paths}
    with run.db.read() as session:
        keys = recorded.keys_of(session, list(set(ids.values())))
        kept = recorded.reports_of(session, list(set(ids.values())))
    return {
        path: traits_of(keys[content_id][0], child.unpack(kept[content_id]))
        for path, content_id in ids.items()
    }


def traits_of(sha256: str, report: FileReport) -> FileTraits:
    """Return what a file is known again by: its content's hash, and what was seen in it."""
    shape = report.structure
    return FileTraits(
        sha256=sha256,
        size=shape.lines if shape is not None else 0,
        prints=frozenset(mark.context for mark in report.fingerprints if mark.context),
        names=frozenset(function.qualified_name for function in shape.functions) if shape else frozenset(),
        lines=frozenset(report.sketch),
    )
