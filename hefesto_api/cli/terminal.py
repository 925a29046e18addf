"""The report on a terminal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console

from hefesto_api.cli import closing as closings
from hefesto_api.cli import frames, output, results
from hefesto_api.cli.closing import Closing
from hefesto_api.domain.finding import Group, Severity
from hefesto_api.features.analysis import local
from hefesto_api.formats.document import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from hefesto_api.cli.analyze import Wish
    from hefesto_api.cli.results import Findings
    from hefesto_api.storage.database import Database

MOST = 50
PIPE_WIDTH = 100


def write(db: Database, found: Findings, wish: Wish) -> None:
    """Print the findings, the worst of very many, and what there is to say at the end."""
    console = console_of(wish.color)
    seen = results.findings(db, found.results, Severity.LOW, suppressed=True)
    threshold = Severity(wish.threshold.upper())
    loud = [one for one in seen if one.suppression is None]
    wanted = [one for one in loud if one.severity.rank >= threshold.rank]
    limit = None if wish.all or not sys.stdout.isatty() else MOST
    shown = frames.worst(wanted, limit)
    closing = Closing(
        counts=Counter((Group(one.analyzer), one.severity) for one in loud),
        threshold=threshold,
        shown=len(shown),
        wanted=len(wanted),
        suppressed=len(seen) - len(loud),
        files=sum(each.record.files_analyzed for each in found.results),
        cached=found.cached,
        lines=sum(each.record.lines_of_code for each in found.results),
        functions=sum(local.functions_in(db, each.record) for each in found.results),
        seconds=found.seconds,
        skipped=[Skipped(**each) for one in found.results for each in one.record.files_skipped],
        diff_base=wish.diff_base,
        gate=_gate(found, wish.fail_on),
        example=shown[0].rule_id if shown else None,
    )
    renderables = [*frames.drawn(shown, console), *(() if wish.quiet else closings.drawn(closing))]
    output.to_stdout(_bytes(console, renderables))


def console_of(color: bool | None) -> Console:
    """Return a console on standard output: `color` decides, else the terminal and NO_COLOR do."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    if color is None:
        return Console(highlight=False, emoji=False, width=width)
    return Console(
        highlight=False,
        emoji=False,
        width=width,
        force_terminal=True if color else None,
        no_color=not color,
        color_system="standard" if color else None,
    )


def _bytes(console: Console, renderables: Sequence[RenderableType]) -> Iterator[bytes]:
    """Render piece by piece; what the terminal's encoding lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    for renderable in renderables:
        with console.capture() as captured:
            console.print(renderable)
        yield captured.get().encode(encoding, "replace")


def _gate(found: Findings, fail_on: str | None) -> tuple[Severity, int] | None:
    if fail_on is None:
        return None
    severity = Severity(fail_on.upper())
    counts = results.counted(found.results)
    return severity, sum(counts[each] for each in Severity.at_least(severity))
