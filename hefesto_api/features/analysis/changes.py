"""What is new against a commit: the findings that the same files did not have there.

A file that is as it was in the commit brings nothing new. One that was changed is compared with what it was,
whatever lines moved in it; one that was renamed with what it was under its former name. Blocks that stand
twice are a matter of the whole project, and are not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.adapters.history import open_history
from hefesto_api.analyzers import child, structure
from hefesto_api.analyzers.base import FileReport, SourceFile
from hefesto_api.analyzers.engine import content_key
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.analyzers.workspace import Skipped
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.domain.identity import Known, Seen, match, renames
from hefesto_api.features.analysis.moves import AT_MOST, traits_of
from hefesto_api.features.analysis.order import Listed
from hefesto_api.storage import contents, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.adapters.history import History
    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.features.analysis.order import Order, Source
    from hefesto_api.storage.database import Database

Place = tuple[str, str, int, int]
"""Where a detection stands: path, rule, line, column."""


class Base(NamedTuple):
    """What is compared with: the wanted files of a commit beneath the order's root, by path."""

    history: History
    blobs: Mapping[str, str]


class _Content(NamedTuple):
    """A content's hash and what is known of it."""

    sha256: str
    report: FileReport


def base_of(order: Order, roots: Sequence[Path] | None) -> Base:
    """Find the commit that an order wants to be compared with.

    With `roots` the repository must lie inside them. Raises Invalid when there is no such commit, or no
    repository.
    """
    history = open_history(order.root or ".", None if roots is None else tuple(roots))
    try:
        commit = history.resolve(order.diff_base or "")
    except NotFound as error:
        what = "commit, branch or tag of that name" if history.top_level else "git repository"
        raise Invalid("diff_base", f"{order.diff_base!r}: there is no {what}.", "not_found") from error
    prefix = _prefix(history, order)
    blobs = {
        path.removeprefix(prefix): blob
        for path, blob in history.tree_ids(commit, prefix.rstrip("/")).items()
        if is_wanted(path)
    }
    return Base(history, blobs)


def new_places(db: Database, engine: Engine, order: Order, source: Source, base: Base) -> set[Place]:
    """Return the places of the detections on record that were not there at the base.

    Call it when the analysis has brought what is on record up to date.
    """
    present = _present(db, order, source)
    changed = [path for path in present if path in base.blobs and _differs(base, source, path)]
    appeared = [path for path in present if path not in base.blobs]
    gone = _gone(order, source, base, present) if appeared else []
    now = _on_record(db, {path: present[path] for path in (*changed, *appeared)})
    before = dict(_examined(db, engine, _as_they_were(base, [*changed, *gone])))
    former = renames(
        {path: traits_of(*before[path]) for path in gone if path in before},
        {path: traits_of(*now[path]) for path in appeared},
    )
    new: set[Place] = set()
    for path, content in now.items():
        then = before.get(former.get(path, path))
        new |= _unmatched(path, content.report, then.report if then else FileReport())
    return new


def _present(db: Database, order: Order, source: Source) -> dict[str, int]:
    """Return the content on record of each file that the analysis looked at."""
    with db.read() as session:
        on_record = recorded.files(session, order.project_id or "", order.branch)
    return {file.path: on_record[file.path].content_id for file in source.files if file.path in on_record}


def _differs(base: Base, source: Source, path: str) -> bool:
    content = source.read(Listed(path))
    return isinstance(content, Skipped) or base.history.blob_id(content.content) != base.blobs[path]


def _gone(order: Order, source: Source, base: Base, present: Mapping[str, int]) -> list[str]:
    """Return the files of the base that are there no more: what appeared may have been one of them."""
    missing = (path for path in base.blobs if path not in present and order.covers(path))
    return [path for path in missing if not source.exists(path)][:AT_MOST]


def _on_record(db: Database, content_ids: Mapping[str, int]) -> dict[str, _Content]:
    wanted = list(set(content_ids.values()))
    with db.read() as session:
        keys = recorded.keys_of(session, wanted)
        reports = recorded.reports_of(session, wanted)
    return {path: _Content(keys[at][0], child.unpack(reports[at])) for path, at in content_ids.items()}


def _as_they_were(base: Base, paths: Iterable[str]) -> Iterator[SourceFile]:
    for path in paths:
        content = base.history.content(base.blobs[path])
        if content is not None:
            yield SourceFile(path, content, structure.language_of(path))


def _examined(db: Database, engine: Engine, files: Iterable[SourceFile]) -> Iterator[tuple[str, _Content]]:
    """Yield the report of each file, from what is on record or from the engine."""
    by_key: dict[tuple[str, str], list[SourceFile]] = {}
    for file in files:
        by_key.setdefault(content_key(file), []).append(file)
    with db.read() as session:
        found = contents.lookup(session, engine.version, by_key)
    kept = {key: one.report for key, one in found.items() if one.report is not None}
    unknown = [twins[0] for key, twins in by_key.items() if key not in kept]
    kept |= {content_key(file): packed for file, packed in engine.run(unknown)}
    for key, twins in by_key.items():
        for file in twins:
            yield file.path, _Content(key[0], child.unpack(kept[key]))


def _unmatched(path: str, now: FileReport, before: FileReport) -> set[Place]:
    known = [
        Known(str(at), one.rule_id, one.line, one.symbol, mark)
        for at, (one, mark) in enumerate(zip(before.detections, before.fingerprints, strict=True))
    ]
    seen = [
        Seen(at, one.rule_id, one.line, one.symbol, mark)
        for at, (one, mark) in enumerate(zip(now.detections, now.fingerprints, strict=True))
    ]
    fresh = [now.detections[int(at)] for at in match(known, seen).fresh]
    return {(path, one.rule_id, one.line, one.column) for one in fresh}


def _prefix(history: History, order: Order) -> str:
    """Return the path of the order's root within the repository, ending in "/" unless it is the top."""
    if history.top_level is None or order.root is None:
        return ""
    relative = order.root.resolve().relative_to(history.top_level.resolve()).as_posix()
    return "" if relative == "." else f"{relative}/"
