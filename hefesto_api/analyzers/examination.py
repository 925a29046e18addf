"""One file's examination: parse it, ask every check, and add what a person wants to see of the place.

Runs inside a parser child (see `child`), on content alone: the same content gives the same report, which
is why a report is kept by the hash of its content.
"""

from __future__ import annotations

from bisect import bisect_right
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hefesto_api.analyzers import duplication, secrets, structure, suppressions
from hefesto_api.analyzers.base import Examination, FileReport, ParsedFile, SourceFile, ToolFailure
from hefesto_api.analyzers.catalogue import FIRST_IDS, in_context
from hefesto_api.analyzers.checks import checks_for
from hefesto_api.domain import identity
from hefesto_api.domain.structure import FileStructure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.analyzers.registry import Thresholds
    from hefesto_api.domain.finding import Detection

__all__ = ["Examination", "examine", "excerpt", "lines_of"]

LINE_TEXT_LIMIT = 500
SNIPPET_LINE_LIMIT = 200
SNIPPET_BEFORE = 2
SNIPPET_AFTER = 3
_GUESSED = frozenset({"HEF-SEC-HARDCODED-PASSWORD", "HEF-SEC-HARDCODED-KEY"})


def examine(task: Examination, thresholds: Thresholds) -> FileReport:
    """Return all that our checks and the batch tools say about one file."""
    source = task.source
    file = _parse(source, task.shape)
    found = list(task.detections)
    failures = list(task.failures)
    for check in () if task.only_given else checks_for(file.language, thresholds):
        try:
            found.extend(check.check(file))
        except MemoryError:
            raise
        except Exception as error:
            # A fault of ours on a file nobody foresaw: said in the report, and the rest goes on.
            failures.append(ToolFailure(check.name, f"{type(error).__name__} while checking"))
    weighed = [one for one in (in_context(each, file.path) for each in found) if one is not None]
    judged = suppressions.apply(file, _distinct(weighed), complete=not failures and not task.only_given)
    detections = _illustrated(file, judged)
    return FileReport(
        language=source.language,
        structure=file.structure,
        detections=tuple(detections),
        fingerprints=identity.fingerprints(detections, file.lines, FIRST_IDS),
        shingles=b"" if task.only_given else duplication.shingles(file),
        failures=tuple(failures),
        sketch=() if task.only_given else identity.sketch(file.squeezed_lines),
    )


def _parse(source: SourceFile, known: FileStructure | None) -> ParsedFile:
    text = _text(source.content)
    lines = _lines(text)
    if known is not None and source.language is not None and not suppressions.may_speak(source.content):
        return ParsedFile(source.path, source.language, source.content, text, lines, None, known)
    if source.language is None:
        plain = FileStructure("text", len(lines), sum(1 for line in lines if line.strip()))
        return ParsedFile(source.path, "text", source.content, text, lines, None, plain)
    tree = structure.parse(source.language, source.content)
    shape = structure.extract(source.language, source.content, tree)
    return ParsedFile(source.path, source.language, source.content, text, lines, tree, shape)


def lines_of(content: bytes) -> list[str]:
    """Return a file's lines without their ends, as detections count them."""
    return _lines(_text(content))


def excerpt(lines: Sequence[str], line: int) -> tuple[str, str]:
    """Return the text of a line and a few lines around it, both cut to what is worth keeping."""
    first, last = max(line - 1 - SNIPPET_BEFORE, 0), line + SNIPPET_AFTER
    text = lines[line - 1][:LINE_TEXT_LIMIT] if 0 < line <= len(lines) else ""
    return text, "\n".join(row[:SNIPPET_LINE_LIMIT] for row in lines[first:last])


def _text(content: bytes) -> str:
    """Return a file's text without its byte order mark; the codec that drops it is written in Python."""
    return content.removeprefix(BOM_UTF8).decode("utf-8", "replace")


def _lines(text: str) -> list[str]:
    """Split at the line ends that linters count; `str.splitlines` also splits at form feeds and U+2028."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def _distinct(found: Sequence[Detection]) -> list[Detection]:
    """Keep what one tool says of a rule and line, the graver, then the surer: two that agree are one finding.

    A secret that was recognised for what it is takes the place of a password guessed from a variable's name.
    """
    gravest: dict[tuple[str, int], Detection] = {}
    for one in found:
        rival = gravest.setdefault((one.rule_id, one.line), one)
        if (one.severity.rank, one.confidence) > (rival.severity.rank, rival.confidence):
            gravest[one.rule_id, one.line] = one
    recognised = (one for one in found if one.tool == secrets.SECRETS.name and one.rule_id not in _GUESSED)
    secret_lines = {one.line for one in recognised}
    kept = {
        (one.rule_id, one.line, one.column): one
        for one in found
        if one.tool == gravest[one.rule_id, one.line].tool
        and not (one.rule_id in _GUESSED and one.line in secret_lines)
    }
    return sorted(kept.values(), key=lambda d: (d.line, d.column, d.rule_id))


def _illustrated(file: ParsedFile, detections: Sequence[Detection]) -> list[Detection]:
    """Add the line, its surroundings and the enclosing function; mask secrets in what is shown."""
    if not detections:
        return []
    shown = secrets.masked_lines(file)
    enclosing = _Enclosing(file.structure)
    return [_with_place(shown, one, enclosing) for one in detections]


def _with_place(lines: Sequence[str], one: Detection, enclosing: _Enclosing) -> Detection:
    line = min(max(one.line, 1), max(len(lines), 1))
    text, snippet = excerpt(lines, line)
    symbol, class_name = (one.symbol, one.class_name) if one.symbol else enclosing.at(line)
    return replace(
        one,
        line=line,
        end_line=max(one.end_line, line),
        line_text=text,
        snippet=snippet,
        symbol=symbol,
        class_name=class_name,
    )


class _Enclosing:
    """Innermost function by line, answered by bisection over the change points of a sweep."""

    def __init__(self, shape: FileStructure) -> None:
        self._starts: list[int] = []
        self._owners: list[tuple[str | None, str | None]] = []
        open_spans: list[tuple[int, str, str | None]] = []
        spans = [(f.start_line, f.end_line, f.qualified_name, f.class_name) for f in shape.functions]
        spans += [(c.start_line, c.end_line, c.qualified_name, c.qualified_name) for c in shape.classes]
        for start, end, name, class_name in sorted(spans, key=lambda s: (s[0], -s[1])):
            self._close(open_spans, start)
            open_spans.append((end, name, class_name))
            self._mark(start, name, class_name)
        self._close(open_spans, None)

    def at(self, line: int) -> tuple[str | None, str | None]:
        """Return (qualified name, class name) of the innermost span that holds the line."""
        position = bisect_right(self._starts, line) - 1
        return self._owners[position] if position >= 0 else (None, None)

    def _mark(self, line: int, name: str | None, class_name: str | None) -> None:
        self._starts.append(line)
        self._owners.append((name, class_name))

    def _close(self, open_spans: list[tuple[int, str, str | None]], before: int | None) -> None:
        while open_spans and (before is None or open_spans[-1][0] < before):
            end, _, _ = open_spans.pop()
            outer = open_spans[-1] if open_spans else None
            if outer is None or outer[0] > end:
                self._mark(end + 1, outer[1] if outer else None, outer[2] if outer else None)
