"""The graphs of commits that this process has read, and what it takes to follow lines through them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain.ancestry import Ancestry
from hefesto_api.domain.hunks import decode
from hefesto_api.domain.lineage import MOST_STEPS, Lineage, Touches
from hefesto_api.storage import history

if TYPE_CHECKING:
    from hefesto_api.domain.hunks import FileChange
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.history import HistoryRecord

PAGE = 256  # changes of a path that are read at first: mostly they are enough
MOST = 8
"""Graphs that are kept: about 12 bytes a commit."""


class _Kept(NamedTuple):
    """A graph, and the record that says which commits it has."""

    record: HistoryRecord
    graph: Ancestry


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = threading.Lock()


def graph_of(session: Session, record: HistoryRecord) -> Ancestry:
    """Return the graph of a history as of its record; only what was added since the last time is read."""
    with _lock:
        held = _kept.get(record.key)
    if held is not None and held.record.revision >= record.revision:
        return held.graph
    graph = _read(session, record, held)
    with _lock:
        _kept[record.key] = _Kept(record, graph)
        _kept.move_to_end(record.key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return graph


def lineage_of(session: Session, record: HistoryRecord, graph: Ancestry) -> Lineage:
    """Return what follows lines through a history, reading the changes of a path when it comes to it."""
    return Lineage(graph, partial(_touches, session, record, graph))


def _read(session: Session, record: HistoryRecord, held: _Kept | None) -> Ancestry:
    if held is None:
        graph = Ancestry()
        graph.add(history.edges(session, record))
        return graph
    before = held.record
    return held.graph.extended(
        history.edges(session, record, before.floor, before.low or 0, before.top if before.low else 0)
    )


def _touches(
    session: Session, record: HistoryRecord, graph: Ancestry, path: str, whole: bool
) -> Touches[Any]:
    limit = MOST_STEPS if whole else PAGE
    number = history.path_number(session, record.id, path)
    rows = history.touches(session, record.id, number, limit) if number is not None else []
    names = history.path_names(session, record.id, {other for _, other, _ in rows if other is not None})

    lowest = rows[-1][0] if len(rows) == limit and not whole else 0

    def read(row: tuple[int, int | None, bytes]) -> FileChange:
        _, other, what = row
        return decode(what, path, None if other is None else names.get(other))

    return Touches(graph, {row[0]: row for row in rows}, read, lowest)
