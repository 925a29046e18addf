"""A correlation on a terminal: the crash, who is suspected and why, the code, what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.text import Text

from hefesto_api.cli.frames import Marks, cropped, wrapped
from hefesto_api.formats.safe import for_terminal, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from hefesto_api.cli.correlating import Answer
    from hefesto_api.domain.correlation import Suspect

MOST: Final = 5
REASONS: Final = 3
SHOWN: Final = 2  # suspects whose code is shown
AROUND: Final = 2
BAR: Final = 20
GUTTER: Final = 6


def rendered(answer: Answer, console: Console) -> Iterator[bytes]:
    """Yield what to print as bytes; what the terminal's encoding lacks becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in drawn(answer, console):
        with console.capture() as captured:
            console.print(line)
        yield captured.get().encode(encoding, "replace")


def drawn(answer: Answer, console: Console) -> Iterator[Text]:
    """Yield what to print."""
    marks, width = Marks.of(console), min(console.width, 110)
    yield from _crash(answer, width, marks)
    if answer.ranking.suspects:
        yield from _suspects(answer, width, marks)
        yield from _findings(answer, width, marks)
        yield from _commits(answer, width, marks)
    yield from _next(answer, width)


def _crash(answer: Answer, width: int, marks: Marks) -> Iterator[Text]:
    """Yield the crash in a line, and where it was."""
    crash = answer.crash
    if answer.trace.raised is None:
        yield Text("There is no stack trace in this text.", "bold")
        return
    name = one_line(crash.error_type or "Crash")
    message = one_line(crash.error_message or "")
    room = width - cell_len(name) - 2
    yield Text.assemble((name, "bold red"), ("  " if message else ""), cropped(message, max(room, 10), marks))
    ours = [one for one in crash.frames if one.project_path]
    frames = f"{len(crash.frames)} frames, {len(ours)} of them in this project"
    place = ""
    if ours:
        last = ours[-1]
        place = f"; the innermost is {one_line(last.function or '?')} at {last.project_path}:{last.line}"
    yield Text(cropped(one_line(frames + place), width, marks), "dim")
    yield Text()


def _suspects(answer: Answer, width: int, marks: Marks) -> Iterator[Text]:
    ranking = answer.ranking
    if ranking.root_cause:
        for row in wrapped(one_line(ranking.root_cause), width):
            yield Text(row, "bold")
        yield Text()
    for at, one in enumerate(ranking.suspects[:MOST]):
        yield _bar(one.probability, one.function_name, f"{one.file_path}:{one.line_number}", width, marks)
        reasons = _reasons(one)
        if reasons:
            lead = " " * (BAR + 7)
            for row in wrapped(one_line(reasons), width - len(lead)):
                yield Text(lead + row, "dim")
        if at < SHOWN:
            yield from _code(answer, one, width, marks)
    rest = 1.0 - sum(one.probability for one in ranking.suspects[:MOST])
    yield _bar(rest, "none of these", "", width, marks)
    yield Text()


def _bar(probability: float, name: str, place: str, width: int, marks: Marks) -> Text:
    full, empty = ("█", "░") if marks.bar == "│" else ("#", ".")
    length = round(probability * BAR)
    room = max(width - BAR - 7 - cell_len(one_line(name)) - 2, 0)
    return Text.assemble(
        (full * length, "red" if place else "cyan"),
        (empty * (BAR - length), "dim"),
        f" {probability:4.0%}  ",
        (one_line(name), "bold" if place else ""),
        ("  " + cropped(one_line(place), room, marks) if place and room > 8 else "", "dim"),
    )


def _reasons(one: Suspect) -> str:
    """Return what speaks for a suspect most, and what speaks against."""
    strongest = [each for each in one.evidence if each.contribution > 0 and each.feature not in _PLAIN]
    against = [each.feature for each in one.evidence if each.contribution == 0]
    words = [each.feature for each in strongest[:REASONS]]
    words += [f"but {each}" for each in against if not any(each in word for word in words)]
    return ", ".join(words)


_PLAIN: Final = frozenset({"size", "branches", "in the trace"})


def _code(answer: Answer, one: Suspect, width: int, marks: Marks) -> Iterator[Text]:
    lines: Sequence[str] = answer.sources.get(one.file_path, ())
    first, last = max(one.line_number - AROUND, 1), min(one.line_number + AROUND, len(lines))
    if not 0 < one.line_number <= len(lines):
        return
    for number in range(first, last + 1):
        own = number == one.line_number
        text = cropped(for_terminal(lines[number - 1]).expandtabs(4).rstrip(), width - GUTTER - 5, marks)
        lead = f"{'>' if own else ' '} {number:>{GUTTER}} {marks.bar} "
        yield Text.assemble((lead, "bold red" if own else "dim"), (text, "bold" if own else ""))
    yield Text()


def _findings(answer: Answer, width: int, marks: Marks) -> Iterator[Text]:
    for match in answer.ranking.findings[:MOST]:
        known = answer.findings[match.finding_id]
        label = f"finding  {known.severity} {known.file_path}:{known.line}  "
        text = cropped(one_line(known.description), max(width - cell_len(label), 20), marks)
        yield Text.assemble((one_line(label) + "  ", "yellow"), text)
        yield Text(
            cropped(f"         {match.match_confidence:.0%}: {one_line(match.match_reason)}", width, marks),
            "dim",
        )
    if answer.ranking.findings:
        yield Text()


def _commits(answer: Answer, width: int, marks: Marks) -> Iterator[Text]:
    for one in answer.ranking.commits[:3]:
        when = one.timestamp.date().isoformat() if one.timestamp else ""
        label = f"commit   {one.commit_hash[:10]} {when} {one_line(one.author)}  "
        text = cropped(one_line(one.message.partition(chr(10))[0]), max(width - cell_len(label), 20), marks)
        yield Text.assemble((label, "cyan"), text)
    if answer.ranking.commits:
        yield Text("         touched a suspect lately; whether it is deployed is not known here", "dim")
        yield Text()


def _next(answer: Answer, width: int) -> Iterator[Text]:
    if not answer.ranking.suspects:
        yield Text(f"Nobody is suspected among {answer.files} files in {one_line(str(answer.top))}.")
        yield Text()
    yield Text("What to do", "bold")
    for number, action in enumerate(answer.ranking.actions, 1):
        for at, row in enumerate(wrapped(one_line(action), width - 5)):
            yield Text(f"  {number}. {row}" if at == 0 else f"     {row}")
