"""Findings on a terminal: the code with a caret under what is meant, and what to do about it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.rule import Rule
from rich.text import Text

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.document import frame
from hefesto_api.formats.safe import for_terminal, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, RenderableType

    from hefesto_api.formats.document import ReportFinding

COLOURS = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
CARETS = {Severity.CRITICAL: "bold red", Severity.HIGH: "bold red"}
GUTTER = 6
LONG = 4  # lines of code beyond which only the first is shown
CONTEXT = 4  # columns kept before what is meant when a long line has to be cut on the left


class Marks(NamedTuple):
    """The signs to draw with: what the terminal can show."""

    bar: str
    arrow: str
    cut: str

    @classmethod
    def of(cls, console: Console) -> Marks:
        """Choose by the terminal's encoding."""
        return cls("│", "→", "…") if console.encoding.startswith("utf") else cls("|", "->", "...")


def worst(findings: Sequence[ReportFinding], most: int | None) -> list[ReportFinding]:
    """Return the findings in the order of the report: by file, the worst file and its worst finding first.

    Only the `most` worst and surest of them, when that is given.
    """
    ranked = sorted(findings, key=_gravity)[:most]
    weight: dict[str, tuple[int, int]] = {}
    for one in ranked:
        rank, count = weight.get(one.file, (0, 0))
        weight[one.file] = (max(rank, one.severity.rank), count + 1)
    return sorted(
        ranked,
        key=lambda one: (
            *(-each for each in weight[one.file]),
            one.file,
            -one.severity.rank,
            one.line,
            one.column,
        ),
    )


def _gravity(one: ReportFinding) -> tuple[object, ...]:
    """Order by severity; among equals what endangers others comes first, then what is surest."""
    return -one.severity.rank, one.analyzer is not Group.SECURITY, -one.confidence, one.file, one.line


def drawn(findings: Iterable[ReportFinding], console: Console) -> Iterator[RenderableType]:
    """Yield what to print for findings that come by file."""
    marks = Marks.of(console)
    for path, group in groupby(findings, key=lambda one: one.file):
        name = set_cell_size(one_line(path), min(cell_len(one_line(path)), console.width - 6))
        yield Rule(Text(name, "bold"), align="left", style="dim", characters="─" if marks.bar == "│" else "-")
        for finding in group:
            yield from _finding(finding, console.width, marks)


def _finding(finding: ReportFinding, width: int, marks: Marks) -> Iterator[RenderableType]:
    yield _headline(finding, width)
    place = f"{finding.line}:{finding.column}"
    symbol = f" in {one_line(finding.symbol)}" if finding.symbol else ""
    rule = one_line(finding.rule_id)
    room = max(width - cell_len(place) - len(rule) - 6, 8)
    yield Text.assemble("  ", (place, "bold"), (cropped(symbol, room, marks), "dim"), "  ", (rule, "dim"))
    for number, text, marked in _filled(_near(finding)):
        yield from _row(finding, number, text, marked, width, marks)
    if finding.recommendation:
        lead = f"{' ' * GUTTER} {marks.arrow} "
        advice = cropped(one_line(finding.recommendation), width - cell_len(lead), marks)
        yield Text.assemble((lead, "green"), (advice, "green"))
    yield Text()


def _near(finding: ReportFinding) -> list[tuple[int | None, str, bool]]:
    """Return the rows to show: of what goes on for long, such as a function, only the beginning."""
    rows = frame(finding, None, around=1)
    if finding.end_line - finding.line <= LONG:
        return rows
    return [row for row in rows if row[0] is None or row[0] <= finding.line]


def _filled(rows: list[tuple[int | None, str, bool]]) -> list[tuple[int | None, str, bool]]:
    """Drop empty rows at both ends."""
    full = [at for at, (_, text, _) in enumerate(rows) if text.strip()]
    return rows[full[0] : full[-1] + 1] if full else []


def _headline(finding: ReportFinding, width: int) -> Text:
    """Return severity and description; a long description goes on beneath itself."""
    label = f" {finding.severity.value} "
    room = max(width - len(label) - 1, 20)
    rows = wrapped(one_line(finding.description or finding.rule_id), room)
    head = Text.assemble((label, COLOURS[finding.severity]), " ", (rows[0], "bold"))
    for row in rows[1:]:
        head.append(f"\n{' ' * (len(label) + 1)}{row}", "bold")
    return head


def _row(
    finding: ReportFinding, number: int | None, text: str, marked: bool, width: int, marks: Marks
) -> Iterator[Text]:
    """Yield a line of code with its number, and the caret under the finding's own."""
    own = number == finding.line
    code, start, length = _laid_out(for_terminal(text), finding if own else None)
    room = max(width - GUTTER - 3, 16)
    code, start, length = _scrolled(code, start, length, room, marks)
    label = f"{number or '':>{GUTTER}}"
    yield Text.assemble((f"{label} {marks.bar} ", "bold blue" if marked else "dim"), code)
    if own and length:
        caret = " " * start + "^" * length
        yield Text.assemble(
            (f"{' ' * GUTTER} {marks.bar} ", "dim"), (caret, CARETS.get(finding.severity, "yellow"))
        )


def _laid_out(text: str, finding: ReportFinding | None) -> tuple[str, int, int]:
    """Expand tabs, and return with the text the cells before and under what is meant."""
    code = text.expandtabs(4).rstrip()
    if finding is None or not code:
        return code, 0, 0
    last = (
        finding.end_column - 1
        if finding.end_line in (0, finding.line) and finding.end_column > 0
        else len(text)
    )
    first = finding.column - 1
    if last <= first or not text[first:last].strip():
        first, last = 0, len(text)
    first += len(text[first:]) - len(text[first:].lstrip())
    last = len(text[:last].rstrip())
    start = cell_len(text[:first].expandtabs(4))
    end = min(cell_len(text[:last].expandtabs(4)), cell_len(code))
    return code, start, max(end - start, 1)


def _scrolled(code: str, start: int, length: int, room: int, marks: Marks) -> tuple[str, int, int]:
    """Cut a line that is too long for the terminal so that what is meant is seen."""
    if cell_len(code) > room and start + min(length, room // 2) > room - len(marks.cut):
        away = start - CONTEXT
        code = marks.cut + _without_cells(code, away)
        start = CONTEXT + len(marks.cut)
    code = cropped(code, room, marks)
    return code, start, max(min(length, room - start), 0)


def _without_cells(code: str, away: int) -> str:
    """Drop so many cells from the left; half of a wide character becomes a blank."""
    gone = 0
    for at, letter in enumerate(code):
        if gone >= away:
            return " " * (gone - away) + code[at:]
        gone += cell_len(letter)
    return ""


def cropped(text: str, room: int, marks: Marks) -> str:
    """Cut a text to so many cells; what is cut ends in an ellipsis."""
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, max(room - len(marks.cut), 0)).rstrip() + marks.cut


def wrapped(text: str, room: int) -> list[str]:
    """Break a text at blanks into rows of at most so many cells; a longer word stands over."""
    rows = [""]
    for word in text.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1] else word
        if cell_len(longer) > room and rows[-1]:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows
