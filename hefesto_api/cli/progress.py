"""How far an analysis is, on a terminal; nothing elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hefesto_api.features.analysis.run import Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hefesto_api.features.analysis.local import Selection


@contextmanager
def shown(*, quiet: bool) -> Iterator[Callable[[Selection], Hooks]]:
    """Give what makes an analysis's hooks: with a bar on standard error, or without."""
    if quiet:
        yield lambda _selection: Hooks()
        return
    from rich.console import Console  # noqa: PLC0415 - a pipe does not pay for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("Analysing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def hooks_for(selection: Selection) -> Hooks:
            task = bar.add_task(selection.path, total=None)
            return Hooks(progress=lambda done, total: bar.update(task, completed=done, total=total))

        yield hooks_for
