"""IPython's tracebacks: a place a frame, source lines around it, an arrow at the line."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block
from hefesto_api.domain.traces.model import Frame, Raised, Relation

HINTS: Final = (("<ipython-input-", "> in "), ("Cell In", "["), ("Input In [",))
# A web form may have turned runs of blanks into tabs.
_HEADER: Final = re.compile(r"([^\W\d][\w.]*+)(?:[ ]{2}|[ ]?\t)[ \t]*+Traceback \(most recent call last\)")
_CELL: Final = re.compile(
    r"(?:File )?((?:Cell|Input) In ?\[\d{1,6}+\])(?:, line (\d{1,9}+))?(?:[,:] in ([^(\n]*+)|$|:)"
)
_FILE: Final = re.compile(r"File (\S.*?):(\d{1,9}+)(?:, in ([^(\n]++))?")
_OLD: Final = re.compile(
    r"(<ipython-input-[^>\s]++>|[~/.\w]\S*+(?: \S++)??) in (<[^>\s]*+>(?=\(|$)|[^(\s]++(?=\())"
)
_ARROW: Final = re.compile(r"-++> (\d{1,9}+)(?:[ \t](.*+))?$")  # the shorter, the longer the number
_CONTEXT: Final = re.compile(r"\s*+\d{1,9}+(?:\s|$)|\s*+\.\.\.")
_ERROR: Final = re.compile(r"((?:[^\W\d]\w*+\.)*+[^\W\d]\w*+)(?:: (.*+)|:?\s*+$)")
_LINKS: Final[dict[str, Relation]] = {
    "During handling of the above exception": "context",
    "The above exception was the direct cause": "cause",
}
_LOOSE = 400  # lines between places: as much as IPython ever shows around one


def begins(lines: Lines, number: int) -> bool:
    """Whether IPython printed what begins here."""
    raw = lines.raw[number]
    if raw[:1] in " \t" and "Traceback (most recent" in raw:
        lines.learn(raw[: len(raw) - len(raw.lstrip())])
    line = lines[number]
    return _HEADER.match(line) is not None or (
        not line.lstrip().startswith('File "')
        and _place(lines[number]) is not None
        and _arrow_near(lines, number)
    )


def _arrow_near(lines: Lines, number: int) -> bool:
    return any("-> " in raw for raw in lines.raw[number + 1 : number + 9]) and any(
        lines.made(ahead, _ARROW.match) for ahead in range(number + 1, number + 9)
    )


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The traceback that begins here; None when it shows no place."""
    header = _HEADER.match(lines[number])
    kind = header[1] if header else None
    frames: list[Frame] = []
    message: str | None = None
    at = number + 1 if header else number
    loose = 0
    while at < len(lines) and loose < _LOOSE:
        line = lines[at]
        if place := _place(line):
            frames.append(place)
            loose = 0
        elif arrow := _ARROW.match(line):
            _point(frames, arrow)
        elif found := _raised(line, kind, frames):
            kind, message, at = found[1], found[2] or "", at + 1
            break
        elif "Traceback (most recent call last)" in line:
            break
        loose += 1
        at += 1
    else:
        at = min(at, len(lines))
    if not frames:
        return None
    raised = Raised(kind, message, tuple(frames), len(frames) - 1)
    return Block([raised], at, previous=_link(lines, number, floor))


def _place(line: str) -> Frame | None:
    if line[:1] in " \t" or not line:
        return None
    if line.startswith(("Cell In", "Input In", "File Cell", "File Input")):
        found = _CELL.match(line)
        return found and Frame(
            found[1], int(found[2]) if found[2] else None, (found[3] or "").strip() or None
        )
    if line.startswith("File "):
        found = _FILE.match(line)
        return found and Frame(found[1], int(found[2]), (found[3] or "").strip() or None)
    found = _OLD.match(line)
    return found and Frame(found[1], None, found[2])


def _point(frames: list[Frame], arrow: re.Match[str]) -> None:
    if frames:
        last = frames[-1]
        if last.code is None:
            frames[-1] = Frame(last.file, int(arrow[1]), last.function, code=(arrow[2] or "").strip())


def _raised(line: str, kind: str | None, frames: list[Frame]) -> re.Match[str] | None:
    if not frames or line[:1] in " \t" or _CONTEXT.match(line):
        return None
    found = _ERROR.match(line)
    if found is None:
        return None
    name = found[1].rpartition(".")[2]
    return found if name == kind or (name[:1].isupper() and (kind is None or found[2] is not None)) else None


def _link(lines: Lines, number: int, floor: int) -> Relation | None:
    for back in range(number - 1, max(floor, number - 5) - 1, -1):
        line = lines[back].strip()
        for text, relation in _LINKS.items():
            if line.startswith(text):
                return relation
        if line and line.strip("-"):
            return None
    return None
