"""What is said at the end of a report on a terminal: the counts, what was left out, and what to do next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct
from rich import box
from rich.table import Table
from rich.text import Text

from hefesto_api.cli.frames import COLOURS
from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.safe import one_line
from hefesto_api.formats.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from hefesto_api.formats.document import Skipped

NAMED = 5  # skipped files that are named
_NAMES = {
    Group.SECURITY: "security",
    Group.COMPLEXITY: "complexity",
    Group.CODE_SMELLS: "code smells",
    Group.BEST_PRACTICES: "best practices",
}


class Closing(Struct, frozen=True, kw_only=True):
    """What a command found and did: `counts` of everything not suppressed, by group and severity."""

    counts: Mapping[tuple[Group, Severity], int]
    threshold: Severity
    shown: int
    wanted: int
    suppressed: int
    files: int
    cached: int
    lines: int
    functions: int
    seconds: float
    skipped: Sequence[Skipped]
    diff_base: str | None = None
    gate: tuple[Severity, int] | None = None
    example: str | None = None


def drawn(closing: Closing) -> Iterator[RenderableType]:
    """Yield what to print."""
    if closing.shown < closing.wanted:
        yield Text(
            f"These are the worst {closing.shown} of {closing.wanted}; --all shows every one.\n", "bold"
        )
    if closing.counts:
        yield _table(closing)
    yield _verdict(closing)
    yield Text(_looked_at(closing), "dim")
    yield from _left_out(closing)
    yield from _gate(closing)
    yield from _next(closing)


def _table(closing: Closing) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    severities = list(reversed(Severity))
    sums = Counter[Severity]()
    for (_, severity), count in closing.counts.items():
        sums[severity] += count
    for severity in severities:
        style = COLOURS[severity] if severity is not Severity.CRITICAL else "bold red"
        table.add_column(severity.value.lower(), justify="right", header_style=style)
    table.add_column("all", justify="right")
    for group, name in _NAMES.items():
        row = [closing.counts.get((group, severity), 0) for severity in severities]
        if any(row):
            table.add_row(name, *(str(count or "-") for count in row), str(sum(row)))
    table.add_row(
        "all", *(str(sums[severity] or "-") for severity in severities), str(sums.total()), style="bold"
    )
    return table


def _verdict(closing: Closing) -> Text:
    new = (
        f" that {'is' if closing.wanted == 1 else 'are'} new since {one_line(closing.diff_base)}"
        if closing.diff_base
        else ""
    )
    if closing.wanted:
        return Text(f"\n{counted(closing.wanted, 'finding')}{new}.", "bold")
    level = "" if closing.threshold is Severity.LOW else f" from {closing.threshold.value.lower()} up"
    return Text(f"\nNo findings{level}{new}.", "bold green")


def _looked_at(closing: Closing) -> str:
    parts = [counted(closing.files, "file"), f"{counted(closing.lines, 'line')} of code"]
    parts.append(counted(closing.functions, "function"))
    cached = f", {closing.cached} of them known already" if closing.cached else ""
    return f"{', '.join(parts)} in {closing.seconds:.1f} s{cached}."


def _left_out(closing: Closing) -> Iterator[Text]:
    if closing.suppressed:
        yield Text(f"{counted(closing.suppressed, 'finding')} suppressed by comments in the source.", "dim")
    if not closing.skipped:
        return
    yield Text(f"{counted(len(closing.skipped), 'file')} not looked at, or not to the end:", "yellow")
    for skipped in closing.skipped[:NAMED]:
        yield Text(f"  {one_line(skipped.path)}: {one_line(skipped.reason)}", "dim")
    if len(closing.skipped) > NAMED:
        reasons = Counter(skipped.reason.partition(" (")[0] for skipped in closing.skipped[NAMED:])
        listed = ", ".join(f"{one_line(reason)} ({count})" for reason, count in reasons.most_common(3))
        yield Text(f"  and {len(closing.skipped) - NAMED} more: {listed}", "dim")


def _gate(closing: Closing) -> Iterator[Text]:
    if closing.gate is None:
        return
    severity, count = closing.gate
    if count:
        yield Text(f"--fail-on {severity.value.lower()}: failed, by {counted(count, 'finding')}.", "bold red")
    else:
        yield Text(f"--fail-on {severity.value.lower()}: passed.", "bold green")


def _next(closing: Closing) -> Iterator[Text]:
    hints = []
    if closing.example:
        hints.append((f"hefesto explain {one_line(closing.example)}", "why it matters, and what to do"))
    below = sum(n for (_, severity), n in closing.counts.items() if severity.rank < closing.threshold.rank)
    if below:
        hints.append(("--severity low", f"shows {below} more"))
    width = max((len(command) for command, _ in hints), default=0)
    if hints:
        yield Text()
    for command, what in hints:
        yield Text.assemble(("  ", ""), (f"{command:<{width}}", "bold"), ("  ", ""), (what, "dim"))
