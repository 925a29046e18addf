"""Comments that ask not to report: recorded with the detection, never obeyed in silence.

Ours: `hefesto: ignore[RULE, RULE2] reason` on the line, alone on the line above, or at the head of a function
for what is said about that function; without brackets it means every rule; `hefesto: ignore-file[RULE]` in
the first thirty lines means the file. Of others: flake8's and ruff's `noqa`, bandit's and gosec's `nosec`. A
marker counts in a comment only: the same text in a string is a string.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from hefesto_api.analyzers.catalogue import RULES, detection, rule
from hefesto_api.analyzers.needles import Needles
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Group, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.domain.finding import Detection

NAME: Final = "suppressions"
UNUSED: Final = "HEF-BP-UNUSED-SUPPRESSION"
FILE_LINES: Final = 30  # where a marker for the whole file may stand
MAX_MARKERS: Final = 64  # that speak of one line or of the file: the rest is somebody's test of our patience

_HEFESTO: Final = re.compile(
    r"(?:^|[#/*!;-])[ \t]{0,4}hefesto:[ \t]{0,4}ignore(?P<file>-file)?(?![\w-])"
    r"(?:\[(?P<rules>[^\]\n]{0,400})\])?(?P<reason>[^\n]{0,400})"
)
_NOQA: Final = re.compile(
    r"#[ \t]{0,4}(?P<file>(?:ruff|flake8):[ \t]{0,4})?noqa\b"
    r"(?::[ \t]{0,4}(?P<rules>[A-Z]{1,8}[0-9]{1,5}(?:[ \t]{0,4}[, ][ \t]{0,4}[A-Z]{1,8}[0-9]{1,5}){0,40}+))?"
    r"(?P<reason>[^\n]{0,400})",
    re.IGNORECASE,
)
_NOSEC: Final = re.compile(
    r"#[ \t]{0,4}nosec\b:?(?P<rules>(?:[ \t,]{1,4}[BG][0-9]{3}\b){0,40}+)(?P<reason>[^\n]{0,400})"
)
_PATTERNS: Final = (
    ("hefesto", b"hefesto:", _HEFESTO, frozenset[str]()),
    ("noqa", b"noqa", _NOQA, frozenset({"python"})),
    ("nosec", b"nosec", _NOSEC, frozenset({"python", "go"})),
)
_NEEDLES: Final = Needles((b"hefesto:", b"noqa", b"NOQA", b"NoQA", b"nosec"))
_HEAD: Final = re.compile(r"^\s*(?:async\s+)?(?:def|class)\b")
_ORDER: Final = {"hefesto": 0, "noqa": 1, "nosec": 2}
_TRAILING: Final = " \t*/->#:;."
_STRUCTURAL: Final = frozenset({Group.COMPLEXITY, Group.CODE_SMELLS})
# Found after a file was examined, when all files are known: a marker for them cannot be called unused here.
_LATER: Final = frozenset({"HEF-SMELL-DUPLICATED-BLOCK"})


class Marker(Struct, frozen=True):
    """One comment: where it stands, which lines it speaks of, which rules (none: all) and why."""

    kind: str
    line: int
    target: int  # the line it speaks of; 0: the whole file
    rules: tuple[str, ...]
    reason: str
    column: int = 1


def may_speak(content: bytes) -> bool:
    """Tell whether there may be a marker in a file: which of them stand in comments, its tree tells."""
    return bool(_NEEDLES.within(content))


def scan(file: ParsedFile) -> list[Marker]:
    """Return the markers in a file's comments, by line."""
    if not may_speak(file.content):
        return []
    wanted = [
        (kind, needle.decode(), pattern)
        for kind, needle, pattern, languages in _PATTERNS
        if not languages or file.language in languages
    ]
    markers: list[Marker] = []
    for number, line in enumerate(file.lines, start=1):
        lower = line.lower()
        for kind, needle, pattern in wanted:
            if needle in lower:
                markers += _in_line(file, number, line, kind, pattern)
    return markers


def apply(file: ParsedFile, detections: Sequence[Detection], *, complete: bool = True) -> list[Detection]:
    """Return the detections, those that a comment speaks of with their `suppression` set.

    Adds a detection for each `hefesto:` comment that names an unknown rule or speaks of nothing found;
    the latter only if `complete`, that is, if every tool has looked at the file.
    """
    markers = scan(file)
    if not markers:
        return list(detections)
    targets = _targets(markers)
    heads = _heads(file)
    used: set[Marker] = set()
    judged = [_judged(one, targets, heads, used) for one in detections]
    return judged + [
        complaint
        for marker in markers
        if marker.kind == "hefesto" and marker not in used
        for complaint in _unused(marker, complete=complete)
    ]


def _targets(markers: Iterable[Marker]) -> dict[int, list[Marker]]:
    targets: dict[int, list[Marker]] = {}
    for marker in markers:
        of_line = targets.setdefault(marker.target, [])
        if len(of_line) < MAX_MARKERS:
            of_line.append(marker)
    return targets


def _in_line(
    file: ParsedFile, number: int, line: str, kind: str, pattern: re.Pattern[str]
) -> Iterator[Marker]:
    for match in pattern.finditer(line):
        start = _comment_start(file, number, line, match.start())
        if start is None:
            continue
        groups = match.groupdict()
        target = number
        if groups.get("file"):
            if kind == "hefesto" and number > FILE_LINES:
                continue
            target = 0
        elif kind == "hefesto" and not line[:start].strip():
            target = _next_code(file, number)
        yield Marker(
            kind=kind,
            line=number,
            target=target,
            rules=tuple(re.findall(r"[\w:.-]+", groups["rules"] or "")),
            reason=(groups["reason"] or "").strip(_TRAILING),
            column=match.start() + 1,
        )


def _comment_start(file: ParsedFile, number: int, line: str, column: int) -> int | None:
    """Return the column at which the comment around a column begins; None when it is no comment."""
    if file.tree is None:
        match = re.search(r"#|//|/\*|<!--|--|;", line[: column + 1])
        return match.start() if match else None
    shift = 3 if number == 1 and file.content.startswith(b"\xef\xbb\xbf") else 0
    at = len(line[:column].encode("utf-8", "surrogatepass")) + shift
    node = file.tree.root_node.descendant_for_point_range((number - 1, at), (number - 1, at))
    if node is None or "comment" not in node.type:
        return None
    if node.start_point.row < number - 1:
        return 0
    return len(
        line.encode("utf-8", "surrogatepass")[: node.start_point.column - shift].decode("utf-8", "replace")
    )


def _next_code(file: ParsedFile, number: int) -> int:
    """Return the next line that is not a comment: markers may stand above one another."""
    for following in range(number + 1, min(number + 11, len(file.lines) + 1)):
        text = file.lines[following - 1].strip()
        if text and not text.startswith(("#", "//", "*", "/*")):
            return following
    return number + 1


def _heads(file: ParsedFile) -> dict[int, range]:
    """Map the first line of each function and class to the lines of its head: decorators and the `def`."""
    heads = {}
    spans = [(f.start_line, f.end_line) for f in file.structure.functions]
    spans += [(c.start_line, c.end_line) for c in file.structure.classes]
    for start, end in spans:
        last = start
        if file.language == "python":
            for number in range(start, min(end, start + 40, len(file.lines)) + 1):
                last = number
                if _HEAD.match(file.lines[number - 1]):
                    break
        heads[start] = range(start, last + 1)
    return heads


def _judged(
    one: Detection, targets: dict[int, list[Marker]], heads: dict[int, range], used: set[Marker]
) -> Detection:
    spoken = [
        marker
        for line in (0, *_lines_of(one, heads))
        for marker in targets.get(line, ())
        if _names(marker, one)
    ]
    used.update(spoken)
    if not spoken or one.suppression is not None:
        return one
    first = min(spoken, key=lambda marker: (_ORDER[marker.kind], marker.line))
    return replace(one, suppression=Suppression(first.kind, first.line, first.reason))


def _lines_of(one: Detection, heads: dict[int, range]) -> range | tuple[int, ...]:
    """Return the lines on which a marker speaks of a detection: its first and last, or a function's head."""
    if one.analyzer in _STRUCTURAL and one.line in heads and one.end_line > one.line:
        return heads[one.line]
    return (one.line, one.end_line) if one.end_line > one.line else (one.line,)


def _names(marker: Marker, one: Detection) -> bool:
    if not marker.rules:
        return marker.kind != "nosec" or one.analyzer is Group.SECURITY
    return any(_is_rule(name, marker.kind, one.rule_id) for name in marker.rules)


@lru_cache(maxsize=4096)
def _is_rule(name: str, kind: str, rule_id: str) -> bool:
    """Tell whether a name in a marker (id, slug, former id, tool's code) means a rule."""
    if kind == "hefesto":
        try:
            if rule(name).id == rule_id:
                return True
        except NotFound:
            pass
    info = RULES.get(rule_id)
    codes = {source.upper() for source in info.sources} if info else set()
    codes |= {code.partition(":")[2] for code in codes}
    return any(spelling in codes for spelling in _spellings(name.upper()))


def _spellings(code: str) -> Iterator[str]:
    """A code as ruff and the tools it follows write it: B608 is S608 of ruff, R0913 is PLR0913."""
    yield code
    if re.fullmatch(r"B[0-9]{3}", code):
        yield "S" + code[1:]
    if code.startswith("PL"):
        yield code[2:]


def _unused(marker: Marker, *, complete: bool) -> Iterator[Detection]:
    unknown = [name for name in marker.rules if not _is_known(name)]
    if unknown:
        yield _complaint(marker, f"The comment names {unknown[0]!r}, which is no rule.", unknown)
    elif complete and not any(_is_rule(name, "hefesto", later) for name in marker.rules for later in _LATER):
        yield _complaint(marker, "Nothing was found that this comment speaks of.", [])


def _complaint(marker: Marker, message: str, unknown: Iterable[str]) -> Detection:
    return detection(
        UNUSED,
        tool=NAME,
        line=marker.line,
        column=marker.column,
        message=message,
        metadata={"rules": list(marker.rules), "unknown": list(unknown)},
    )


@lru_cache(maxsize=1024)
def _is_known(name: str) -> bool:
    return any(_is_rule(name, "hefesto", rule_id) for rule_id in RULES)
