""".NET: `at Namespace.Class.Method(Type name) in file:line N`; inner exceptions printed before outer ones."""

import re
from typing import Final

import msgspec

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame, Raised, Relation
from hefesto_api.domain.traces.runs import innermost_first

_AT: Final = re.compile(r"(?:at|bei|в|à|en|in|em|w|om|na|vid|在|於|場所|위치:) (\S[^()]*+)\(")
_UNITY: Final = re.compile(r"(\S[^()]*?) ?\([^()]*+\) \(at (.+):(\d{1,9}+)\)$")
_PLACE: Final = re.compile(
    r" (?:in|в|dans|en|em|w|i|位置|於|場所|파일) (.+):(?:(?:line|Zeile|строка|ligne|línea|linha|wiersz|riga|"
    r"regel|rad|行号|行|줄) )?(\d{1,9}+)$"
)
_MONO: Final = re.compile(r" \[0x[0-9a-f]++\] in (?:<[^>]*+>|(.+)):(\d{1,9}+)")
_INNER_END: Final = re.compile(r"--- (?:End of inner|Ende der internen|Конец трассировки внутреннего)")
_STITCH: Final = re.compile(
    r"--- (?:End of stack trace|Ende der|Конец трассировки|Fin de)|at System\.Runtime\.ExceptionServices\.$"
)
_NAME: Final = r"(?:[\w]++\.)*+\w*(?:Exception|Error|Fault)\w*(?:`\d)?"
_HEAD: Final = re.compile(
    rf"(?:Unhandled exception[.:] |Unhandled Exception: |"
    rf".{{0,200}}?(?<![\w.]))({_NAME})(?: \([^)]*+\))?(?:: (.*+))?$"
)
_INNER: Final = re.compile(
    rf"-{{2,3}}> (?:\(Inner Exception #\d++\) )?({_NAME})(?: \([^)]*+\))?(?:: (.*+))?$"
)
_BACK = 15
_NOISE = 3


def frame(text: str) -> Frame | None:
    """A line as a frame, or None."""
    text = text.removesuffix("<---")
    found = _AT.match(text)
    if found is None:
        found = _UNITY.match(text)
        return found and Frame(found[2], int(found[3]), found[1])
    if "." not in found[1] and not found[1].startswith("lambda_method"):
        return None
    closed = text.find(")", found.end())
    if closed < 0:
        return None
    name, rest = found[1].strip(), text[closed + 1 :]
    while rest[:1] in ("&", ",", ")") and ")" in rest[1:]:
        rest = rest[rest.index(")") + 1 :]
    if not rest.strip():
        return Frame(None, None, name) if " " not in name.partition("[")[0] else None
    place = _PLACE.match(rest[:2_000]) or _MONO.match(rest[:2_000])
    if place is None:
        return None
    return Frame(place[1], int(place[2]) if place[1] else None, name)


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The exception whose first frame stands here, the innermost of a chain, and an aggregate's members."""
    if lines.made(number, frame) is None:
        return None
    exceptions, end, certain = _chain(lines, number, floor)
    if not certain:
        return end
    primary = len(exceptions) - 1
    while (start := _member(lines, end)) is not None:
        member, end, _ = _chain(lines, start, end)
        shift = len(exceptions)
        member = [one if one.of is None else _related(one, "cause", one.of + shift) for one in member]
        exceptions += [*member[:-1], _related(member[-1], "member", primary)]
    return Block(exceptions, end, primary)


def _member(lines: Lines, end: int) -> int | None:
    """The first frame of an aggregate's next member."""
    at = next((n for n in range(end, end + 3) if lines[n].strip()), end)
    if "> (Inner Exception #" not in lines[at]:
        return None
    return next((n for n in range(at + 1, at + _BACK) if lines.made(n, frame)), None)


def _chain(lines: Lines, number: int, floor: int) -> tuple[list[Raised], int, bool]:
    """The exceptions of one chain, the outermost last, and whether they are certain to be some."""
    names = _above(lines, number, floor)
    groups, end = _groups(lines, number)
    certain = bool(names) or any(one.file for group in groups for one in group)
    names = names or [(None, None)]
    exceptions: list[Raised] = []
    for index, group in enumerate(groups):
        kind, message = names[-1 - index] if index < len(names) else (None, None)
        exceptions.append(innermost_first(kind, message, group))
    for kind, message in reversed(names[: max(len(names) - len(groups), 0)]):
        exceptions.append(Raised(kind, message, ()))
    causes = [_related(one, "cause", index + 1) for index, one in enumerate(exceptions[:-1])]
    return [*causes, exceptions[-1]], end, certain


def _related(one: Raised, relation: Relation, of: int) -> Raised:
    return msgspec.structs.replace(one, relation=relation, of=of)


def _groups(lines: Lines, at: int) -> tuple[list[list[Frame]], int]:
    """The frames of each exception, the innermost exception first."""
    groups: list[list[Frame]] = [[]]
    end = at
    while at < len(lines) and at - end <= _NOISE:
        text = lines[at].strip()
        if found := lines.made(at, frame):
            for skipped in range(end, at):
                lines.skip(skipped, "between the frames of an exception")
            groups[-1].append(found)
            end = at + 1
        elif _INNER_END.match(text) and end == at:
            groups.append([])
            end = at + 1
        elif _STITCH.match(text) and end == at:
            end = at + 1
        elif _INNER.match(text) or _HEAD.match(text):
            break
        at += 1
    return groups if groups[-1] or len(groups) == 1 else groups[:-1], end


def _above(lines: Lines, number: int, floor: int) -> list[tuple[str | None, str | None]]:
    """Types and messages above the first frame, the outermost first."""
    names: list[tuple[str | None, str | None]] = []
    below: list[str] = []
    for above in range(number - 1, max(floor, number - _BACK) - 1, -1):
        text = lines[above].strip()[:4_000]
        if found := _INNER.match(text):
            names.insert(0, (found[1], _joined(found[2], below)))
            below = []
        elif found := _HEAD.match(text):
            return [*_one_line(found, below), *names]
        elif lines.made(above, frame):
            break
        else:
            below.insert(0, text)
    return names


def _one_line(found: re.Match[str], below: list[str]) -> list[tuple[str | None, str | None]]:
    parts = (found[2] or "").split(" ---> ")
    names: list[tuple[str | None, str | None]] = [(found[1], _joined(parts[0], below))]
    for part in parts[1:]:
        kind, _, message = part.partition(": ")
        names.append((kind, message))
    return names


def _joined(first: str | None, rest: list[str]) -> str:
    return "\n".join([first or "", *rest]).strip()


DOTNET: Final = Language(
    "csharp",
    (
        ("at ", ".", "(", ")"),
        ("(at ", ":"),
        *(
            (f"   {at} ", ".", "(", ")")
            for at in ("bei", "в", "à", "en", "in", "em", "w", "om", "在", "場所")
        ),
        *((f":{line} ",) for line in ("line", "Zeile", "строка", "ligne", "línea", "linha", "行号", "行")),
    ),
    read,
)
