"""The first analysis of a tree begins before the database is open.

Importing SQLAlchemy and making the database takes as long as examining three hundred files, and needs one
processor. What a first analysis will ask the engine is known without it: every file of the tree.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hefesto_api.analyzers.base import SourceFile
from hefesto_api.analyzers.engine import content_key
from hefesto_api.analyzers.workspace import Limits
from hefesto_api.features.analysis.order import Order, Place, tree_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hefesto_api.analyzers.engine import ContentKey, Engine
    from hefesto_api.cli.failures import Interruption
    from hefesto_api.features.analysis.order import TreeSource
    from hefesto_api.features.analysis.selection import Selection


@contextmanager
def begun(
    engine: Engine, selection: Selection, exclude: Sequence[str], interruption: Interruption
) -> Iterator[TreeSource]:
    """List the files of a selection and have the engine begin with them; gives the list, for the analysis."""
    places = tuple(Place(place, is_dir) for place, is_dir in selection.places)
    order = Order("", None, root=selection.top, places=places, exclude=tuple(exclude))
    with tree_source(order, Limits()) as listed:
        with interruption.deferred():
            engine.begin(_contents(listed))
        yield listed


def _contents(listed: TreeSource) -> Iterator[SourceFile]:
    """Read the files, each content once, in the order in which the analysis will."""
    seen: set[ContentKey] = set()
    for file in listed.files:
        source = listed.read(file)
        if isinstance(source, SourceFile):
            listed.keep(source)
            if (key := content_key(source)) not in seen:
                seen.add(key)
                yield source
