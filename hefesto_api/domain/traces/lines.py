"""The lines of a text, without what transports and loggers put around and before them."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from hefesto_api.domain.traces.model import Unread

T = TypeVar("T")
_SHOWN: Final = 120
_LONG: Final = 8_000  # characters of one line that a reader is shown
_ANSI: Final = re.compile(r"\x1b\[[0-9;]{0,16}+[A-Za-z]")
_ESCAPE: Final = re.compile(r'\\(u[0-9a-fA-F]{4}|.)|"')
_PLAIN: Final = {"n": "\n", "r": "", "t": "\t", "/": "/", '"': '"', "\\": "\\", "'": "'"}
_SHAPE: Final = {ord(digit): "0" for digit in "123456789"}
_LEVEL: Final = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE)"
# A time, a level, a container's or a log daemon's name; never a word that could begin an exception's type.
_PREFIX: Final = re.compile(
    rf"""(?:
      [\w.-]{{1,64}}+[ ]{{0,40}}+\|(?=[ ])
    | \w{{3}}[ ]{{1,2}}\d{{1,2}}[ ]\d\d:\d\d:\d\d[ ][\w.-]{{1,64}}+[ ][\w./-]{{1,64}}+(?:\[\d{{1,9}}+\])?:
    | [VDIWEF]/[\w.-]{{1,64}}+[ ]{{0,9}}+\([ ]{{0,9}}+\d{{1,9}}+\):
    | \d\d-\d\d[ ]\d\d:\d\d:\d\d\.\d{{3}}(?:[ ]{{1,9}}+\d{{1,9}}+){{2}}
      [ ][VDIWEF][ ][\w.-]{{1,64}}+[ ]{{0,40}}+:
    | \[?\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?[.,\d]{{0,12}}+(?:[ ]?Z|[ ]?[+-]\d\d:?\d\d|[ ]UTC)?\]?
      (?:[ ](?:stdout|stderr)[ ][FP](?=[ ]))?
      (?:[ ]{{1,3}}(?:\[[^\]]{{0,80}}+\]|{_LEVEL}:?|-|---|\d{{1,9}}+))*+
    | \[?{_LEVEL}\]?:?(?=[ \t])
    )[ ]?""",
    re.VERBOSE,
)


def unfold(text: str) -> str:
    """The text with real line ends: escaped ones (a JSON string, one log record a line) are undone."""
    for _ in range(2):
        if text.count("\\n") <= text.count("\n") * 2:
            break
        # In JSON a bare quote ends a string; elsewhere it belongs to the text.
        quote = "\n" if '":' in text or text.lstrip()[:1] == '"' else '"'
        text = _ESCAPE.sub(lambda found, quote=quote: _unescaped(found, quote), text)  # type: ignore[misc]
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _unescaped(found: re.Match[str], quote: str) -> str:
    escaped: str | None = found[1]
    if escaped is None:
        return quote
    if len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    return _PLAIN.get(escaped, "\\" + escaped)


def shape(prefix: str) -> str:
    """The prefix with every digit as 0: equal for the same logger at another time."""
    return prefix.translate(_SHAPE)


class Lines:
    """A text's lines, numbered from 0. `prefix` is what stands before each line of the trace being read."""

    def __init__(self, text: str) -> None:
        self.raw = text.split("\n")
        self.unread: list[Unread] = []
        self._prefix = ""
        self._plain: list[str | None] = [None] * len(self.raw)
        self._made: dict[Callable[[str], Any], dict[int, Any]] = {}

    def __len__(self) -> int:
        return len(self.raw)

    def learn(self, prefix: str) -> None:
        """Take `prefix` off the lines that begin alike; "" goes back to the known kinds only."""
        new = shape(prefix) if prefix else ""
        if new != self._prefix:
            self._prefix = new
            self._made.clear()

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self.raw):
            return ""
        if self._prefix:
            raw, width = self.raw[number], len(self._prefix)
            if shape(raw[:width]) == self._prefix:
                return raw[width:]
        line = self._plain[number]
        if line is None:
            line = self._plain[number] = _unprefixed(self.raw[number])
        return line

    def made(self, number: int, reader: Callable[[str], T]) -> T:
        """What a reader makes of a line without the blanks around it; worked out only once."""
        made = self._made.get(reader)
        if made is None:
            made = self._made[reader] = {}
        if number not in made:
            made[number] = reader(self[number].strip()[:_LONG])
        found: T = made[number]
        return found

    def skip(self, number: int, reason: str) -> None:
        """Put down that a line was not read."""
        if line := self[number].strip():
            self.unread.append(Unread(number + 1, line[:_SHOWN], reason))


def _unprefixed(line: str) -> str:
    if not (line[:1].isalnum() or line[:1] in "[_.-"):
        return line
    found = _PREFIX.match(line)
    return line[found.end() :] if found else line


def indent(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip())
