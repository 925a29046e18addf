"""Duplicated blocks: the one finding that takes the whole project to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.analyzers import child
from hefesto_api.analyzers.duplication import duplicates
from hefesto_api.analyzers.engine import content_key
from hefesto_api.analyzers.workspace import Skipped
from hefesto_api.domain.structure import FileStructure
from hefesto_api.features.analysis import record
from hefesto_api.features.analysis.order import Listed
from hefesto_api.storage import recorded, sightings

if TYPE_CHECKING:
    from hefesto_api.analyzers.base import SourceFile
    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.identity import Fingerprints
    from hefesto_api.features.analysis.run import Run
    from hefesto_api.storage.recorded import Blocks

    Seen = list[tuple[Detection, Fingerprints]]

STAGE_FILES = 100
_NO_SHAPE = FileStructure("", 0, 0)  # the engine names the enclosing function of what is found


def compare(run: Run) -> None:
    """Compare all files of the project, and record what stands twice in the files that were looked at."""
    project_id = run.order.project_id
    if project_id is None or "code_smells" not in run.order.groups:
        return
    with run.db.read() as session:
        entries = {one.path: one for one in recorded.blocks(session, project_id, run.order.branch)}
        known = sightings.paths_with_rules(session, project_id, record.DUPLICATIONS)
    found = duplicates({path: (one.shingles, _NO_SHAPE) for path, one in entries.items()})
    listed = {file.path for file in run.source.files}
    paths = sorted((found.keys() | known) & listed)
    for start in range(0, len(paths), STAGE_FILES):
        some = paths[start : start + STAGE_FILES]
        _write(
            run,
            project_id,
            {path: [] for path in some if path not in found} | _described(run, found, entries, some),
        )


def _write(run: Run, project_id: str, seen: dict[str, Seen]) -> None:
    with run.db.write(durable=False) as session:
        writer = run.begin(session)
        known = sightings.known_in(session, project_id, list(seen))
        for path, pairs in seen.items():
            here = [one for one in known.get(path, ()) if one.rule_id in record.DUPLICATIONS]
            record.apply_to_file(
                writer, project_id, path, here, pairs, lambda one: one.branch == run.order.branch
            )
        run.end(writer)


def _described(
    run: Run, found: dict[str, list[Detection]], entries: dict[str, Blocks], paths: list[str]
) -> dict[str, Seen]:
    """Have the engine add the places, the fingerprints and what the source says of them."""
    shapes = _shapes(run, {path: entries[path].content_id for path in paths if path in found})
    asked: list[tuple[SourceFile, list[Detection], FileStructure | None]] = []
    for path, (sha256, shape) in shapes.items():
        source = run.source.read(Listed(path))
        if not isinstance(source, Skipped):
            asked.append((source, found[path], shape if content_key(source).sha256 == sha256 else None))
    seen: dict[str, Seen] = {}
    for source, packed in run.engine.describe(asked):
        report = child.unpack(packed)
        seen[source.path] = list(zip(report.detections, report.fingerprints, strict=True))
    return seen


def _shapes(run: Run, ids: dict[str, int]) -> dict[str, tuple[str, FileStructure | None]]:
    """Return the hash and the structure on record of each file's content."""
    wanted = sorted(set(ids.values()))
    with run.db.read() as session:
        keys = recorded.keys_of(session, wanted)
        reports = recorded.reports_of(session, wanted)
    return {path: (keys[one][0], child.unpack(reports[one]).structure) for path, one in ids.items()}
