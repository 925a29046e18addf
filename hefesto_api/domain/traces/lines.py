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
# Escaped line ends with what a trace's next line begins with.
_FOLDED: Final = re.compile(
    r"\\{1,7}n(?=  |\\{1,7}t|at |#\d|from |File |Traceback |\d{4}-\d\d-\d\d|[\w.-]{1,40}+ {1,9}+\||"
    r"[^\s\\\"]{1,200}:\d{1,9}:in |[\w.<>/]{0,64}@\w{2,20}:)"
)
# A record a line, as containers keep what was printed.
_RECORD: Final = re.compile(
    r'^[ \t]*+\{(?:(?!"(?:log|message|msg|line)")"[^"\\\n]{1,40}+":[ ]?(?:"[^"\\\n]{0,99}+"|[\d.]{1,20}+)'
    r',[ ]?){0,8}+"(?:log|message|msg|line)":[ ]?"((?:[^"\\\n]|\\.)*+)".*+$',
    re.MULTILINE,
)
_SPACED: Final = 6
_PREFIXES: Final = 3  # that may stand one behind the other
_SHAPE: Final = {ord(digit): "0" for digit in "123456789"}
_LEVEL: Final = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE)"
_DAY: Final = r"\d{4}[-/.]\d\d[-/.]\d\d"
_TIME: Final = r"\d\d:\d\d:\d\d[.,\d]{0,12}+"
_TAG: Final = r"\[[\w.:/\#@+-]{1,64}+\]"
# A time, a level, a container's or a log daemon's name, a mail's quote; never a word that could begin an
# exception's type.
_PREFIX: Final = re.compile(
    rf"""(?:
      >(?:[ ]?>)*+
    | [\w./-]{{1,64}}+[ ]{{0,40}}+\|(?=[ \t])
    | \w{{3}}[ ]{{1,2}}\d{{1,2}}[ ]\d\d:\d\d:\d\d[ ][\w.-]{{1,64}}+[ ][\w./@-]{{1,64}}+(?:\[\d{{1,9}}+\])?:
    | \[\w{{3}}[ ]\w{{3}}[ ]\d\d[ ]{_TIME}[ ]\d{{4}}\](?:[ ]\[[^\]]{{1,64}}+\])*+
    | [VDIWEF]/[\w.-]{{1,64}}+[ ]{{0,9}}+\([ ]{{0,9}}+\d{{1,9}}+\):
    | (?:{_DAY}[ ]|\d\d-\d\d[ ])?{_TIME}[ ]{{1,9}}+(?:
        \d{{1,9}}+[ ]{{1,9}}+\d{{1,9}}+[ ][VDIWEF][ ][\w.-]{{1,64}}+[ ]{{0,40}}+:
      | \d{{1,9}}+-\d{{1,9}}+/[\w.?:-]{{1,99}}+[ ][VDIWEF]/[\w.-]{{1,64}}+:
      | \d{{1,9}}+-\d{{1,9}}+[ ]{{1,9}}+[\w.-]{{1,64}}+[ ]{{1,40}}+[\w.:-]{{1,99}}+[ ]{{1,40}}+[VDIWEF][ ])
    | [A-Z],[ ]\[{_DAY}T{_TIME}[ ]\#\d{{1,9}}+\][ ]{{1,3}}+\w{{4,7}}[ ]--[ ]:(?:[ ]{_TAG})*+
    | \[{_DAY}[T ]{_TIME}Z?[ ]{{1,3}}{_LEVEL}[ ]{{1,3}}[\w:.-]{{1,99}}+\]
    | \[?(?:{_DAY}[T ]\d\d:\d\d(?::\d\d)?[.,\d]{{0,12}}+(?:[ ]?Z|[ ]?[+-]\d\d:?\d\d|[ ]UTC)?|{_TIME})\]?:?
      (?:[ ](?:stdout|stderr)[ ][FP](?=[ ])|(?:[ ][\w.-]{{1,64}}+)?[ ][\w./-]{{1,64}}+\[[\w.]{{1,32}}+\]:)?
      (?:[ ]{{1,3}}(?:\[[^\]]{{0,80}}+\](?=[ ]{{1,3}}\S)|{_LEVEL}:?|-(?=[ ])
        |---(?=[ ]\[)|\d{{1,9}}+(?=[ ]---[ ]\[)|\w{{1,16}}+=[^\s=]{{1,64}}+))*+
      (?=[ \t]|$)
    | \[?{_LEVEL}\]?:?(?=[ \t])
    | {_TAG}(?:[ ]{_TAG})*+(?=[ \t])
    )[ ]?""",
    re.VERBOSE,
)
# Marks of web pages and chats, taken off where they are used as such; `<T>` or `<module>` are none.
_TAGS: Final = re.compile(
    r"</?(?:b|p|pre|code|span|div|li|ol|ul|td|th|tr|table|tbody|font|strong|em|i|u|a|small|h\d)"
    r"(?: [^<>\n]{0,300}+)?>"
)
_BREAK: Final = re.compile(r"<br ?/?>\n?")
_ENTITY: Final = re.compile(r"&(?:lt|gt|quot|amp|nbsp|apos|#0?39|#x27|#34|#x2[Ff]);")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&", "&nbsp;": " ", "&#34;": '"'}
# Blanks of other widths, marks without any, and, where they stand around a file, a word processor's quotes.
_PLAINER: Final = str.maketrans("\xa0\u2007\u202f\u2028", "   \n", "\ufeff\u200b\x00")
_QUOTES: Final = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
# Frames as the strings of a list.
_LISTED: Final = re.compile(
    r'(?:^|[\[,:])[ \t]*+\[?[ \t]*+"[^"\n]{1,400}(?::\d++:in |\.(?:rb|php|py|[jt]sx?|exs?):\d++"[,\]])',
    re.MULTILINE,
)
_COMMAS: Final = re.compile(r'"[ \t]*+,\s*+"|\[\s*+"|"\s*+\]')


def unfold(text: str) -> str:
    """The text with real line ends: escaped ones (a JSON string, one log record a line) are undone."""
    if "\\" in text:
        text = _unescape(text)
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if not text.isascii() or "\x00" in text:
        text = text.translate(_PLAINER)
        text = text.translate(_QUOTES) if "File \u201c" in text else text
    if '"' in text and _LISTED.search(text):
        text = _COMMAS.sub("\n", text)
    if "</" in text or "<br" in text:
        text = _TAGS.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = _ENTITY.sub(lambda found: _ENTITIES.get(found[0], "/" if found[0][-2] in "fF" else "'"), text)
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    return _closed_up(text) if "\n\n" in text else text


def _unescape(text: str) -> str:
    if text.count("\\n") > text.count("\n") * 2:
        return _unescaped_text(_unescaped_text(text) if "\\\\n" in text else text)
    if _RECORD.search(text):
        text = _RECORD.sub(lambda found: _ESCAPE.sub(_one, found[1].removesuffix("\\n")), text)
    if _FOLDED.search(text) is None:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        for _ in range(3):
            if line.count("\\n") < 2 or _FOLDED.search(line) is None:
                break
            line = _unescaped_text(line)
        lines[number] = line
    return "\n".join(lines)


def _unescaped_text(text: str) -> str:
    # In JSON a bare quote ends a string; elsewhere it belongs to the text.
    quote = "\n" if '":' in text or text.lstrip()[:1] == '"' else '"'
    return _ESCAPE.sub(lambda found: _unescaped(found, quote), text)


def _one(found: re.Match[str]) -> str:
    return _unescaped(found, '"')


def _closed_up(text: str) -> str:
    """The text without the empty lines, where every second line is one."""
    lines = text.split("\n")
    return text if len(lines) < _SPACED or any(map(str.strip, lines[1::2])) else "\n".join(lines[::2])


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


_UNMADE: Any = object()


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
        if not prefix and not self._prefix:
            return
        new = shape(prefix)
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
        found: T = made.get(number, _UNMADE)
        if found is _UNMADE:
            found = made[number] = reader(self[number].strip()[:_LONG])
        return found

    def skip(self, number: int, reason: str) -> None:
        """Put down that a line was not read."""
        if line := self[number].strip():
            self.unread.append(Unread(number + 1, line[:_SHOWN], reason))


def _unprefixed(line: str) -> str:
    for _ in range(_PREFIXES):
        if not (line[:1].isalnum() or line[:1] in "[_.->/"):
            break
        found = _PREFIX.match(line)
        if found is None:
            break
        line = line[found.end() :]
    return line


def indent(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip())
