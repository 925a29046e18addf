"""The partial fingerprints of a detection, computed from the content of its file alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from msgspec import Struct, structs

from hefesto_api.domain.finding import Detection, Group

VERSION = 2

_REACH = 12  # lines looked at to find the neighbours, or a signature under its decorators
_LONG_COMMENT = 60  # lines between a signature and the first code of the body
_STATEMENT = 6  # lines of a statement that are hashed; a longer span is a block
_BODY = 12  # characters the beginning of a body needs before it may identify a function
_DISTINCT = 12  # characters a statement needs before it may identify a finding on its own
_COMMENT = ("#", "//", "/*", "*", "<!--", "--")
_TRAILING = re.compile(r"""(?:\s\#|(?<=[;{},])\s*//)[^"'`]*$""")
_SIGNATURE = re.compile(
    r"""(?:@|(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:def|class|func|function|fn|interface|enum|struct|type)\b
    |(?:public|private|protected|static|final|abstract|synchronized|async|override)\b[^=;]*\([^;]*$)""",
    re.VERBOSE,
)
_NUMBERS = re.compile(r"\d+")
_WEAKER = ("context", "symbol", "text", "before", "after")


class Fingerprints(Struct, frozen=True, array_like=True):
    """The partial fingerprints of one detection; hex, 16 digits each, "" where one would prove nothing.

    exact: rule, enclosing symbol, the statement's normalised text and its neighbours.
    context: rule, the normalised text and its neighbours (the function was renamed).
    symbol: rule, enclosing symbol and the normalised text (the neighbours changed).
    text: rule and the normalised text alone (it moved elsewhere); "" when the text is too common.
    before, after: rule, the normalised text and the neighbours on one side (the other side changed).

    A detection about a whole function is its symbol and its signature: `symbol` then holds without the
    text (a parameter was added), `context` is the beginning of the body (the function was renamed), and
    the signature alone proves nothing.
    """

    version: int
    exact: str
    context: str
    symbol: str
    text: str
    before: str = ""
    after: str = ""


def fingerprints(
    detections: Sequence[Detection], lines: Sequence[str], aliases: Mapping[str, str] | None = None
) -> tuple[Fingerprints, ...]:
    """Return the fingerprints of each detection of one file.

    `lines` are the file's lines without their ends; they may be missing (an imported report), then the
    detection's own `line_text`, `snippet` or message stands in. `aliases` maps a rule's id to the first
    id it ever had, so that renaming a rule leaves its findings what they were.
    """
    page = _Page(lines)
    names = aliases or {}
    return tuple(_prints(names.get(each.rule_id, each.rule_id), each, page) for each in detections)


def public_fingerprint(rule_id: str, path: str, exact: str, occurrence: int = 1) -> str:
    """Return the fingerprint that reports show (hex, 32 digits): the same wherever the same code is checked.

    `occurrence` counts from 1 the findings of one file whose `exact` is equal, by line.
    """
    parts = (f"hefesto/v{VERSION}", rule_id, path, exact, str(occurrence))
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def telling_apart(prints: Fingerprints, others: Iterable[Fingerprints]) -> Fingerprints:
    """Return prints without the evidence that holds for one of `others` as well; `exact` stays."""
    shared = {(name, getattr(other, name)) for other in others for name in _WEAKER}
    void = {name: "" for name in _WEAKER if (name, getattr(prints, name)) in shared}
    return structs.replace(prints, version=VERSION, **void)


class _Page:
    """The lines of one file, normalised when first asked for (many detections share neighbours)."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._significant: dict[int, str] = {}

    def significant(self, index: int) -> str:
        """Return a line without white space, or "" where it says nothing: blank, a bracket, a comment."""
        known = self._significant.get(index)
        if known is None:
            text = _squeeze(self.lines[index])
            known = "" if len(text) < 4 or text.startswith(_COMMENT) else text
            self._significant[index] = known
        return known

    def neighbours(self, index: int, step: int) -> str:
        """Return the two nearest significant lines from `index` on, up (-1) or down (1)."""
        stop = min(len(self.lines), index + _REACH) if step > 0 else max(-1, index - _REACH)
        nearest = ""
        known = self._significant
        for at in range(index, stop, step):
            if line := known.get(at) or self.significant(at):
                if nearest:
                    return f"{nearest}\n{line}"
                nearest = line
        return nearest

    def beginning(self, index: int) -> str:
        """Return the significant lines of what a function starts with, its further parameters too.

        Those behind a long comment, where it starts with one.
        """
        near = self._significant_from(index)
        if near:
            return near
        beyond = range(index + _REACH, min(len(self.lines), index + _LONG_COMMENT))
        first = next((at for at in beyond if self.significant(at)), None)
        return "" if first is None else self._significant_from(first)

    def _significant_from(self, index: int) -> str:
        stop = min(len(self.lines), index + _REACH)
        return "\n".join(filter(None, map(self.significant, range(index, stop))))


def _squeeze(line: str, column: int = 0) -> str:
    """Normalise one line: no white space, one kind of quote, no trailing comment left of `column`.

    A trailing comment is dropped so that a suppression can be written behind a finding without making it
    another one; it stays when the finding is about the comment.
    """
    if "#" in line or "//" in line:
        line = line.strip()
        if (comment := _TRAILING.search(line)) and comment.start() >= column:
            line = line[: comment.start()]
    return "".join(line.split()).replace("'", '"')


def _prints(rule: str, detection: Detection, page: _Page) -> Fingerprints:
    if not page.lines:
        return _without_source(rule, detection)
    first = min(max(detection.line, 1), len(page.lines)) - 1
    last = min(max(detection.end_line - 1, first), len(page.lines) - 1)
    if detection.analyzer is not Group.SECURITY:
        if first == 0 and last > 0 and last == len(page.lines) - 1 and detection.symbol is None:
            return _of_file(rule)
        signature = _signature(page.lines, first, last)
        if detection.analyzer is Group.COMPLEXITY or _SIGNATURE.match(page.lines[signature].lstrip()):
            return _of_function(rule, detection, signature, page)
        if last - first >= _STATEMENT:
            return _of_statement(rule, detection, first, first, page)
    return _of_statement(rule, detection, first, last, page)


def _signature(lines: Sequence[str], first: int, last: int) -> int:
    """Return the line that names the function: the first of the span that is no decorator."""
    for index in range(first, min(last, first + _REACH) + 1):
        if not lines[index].lstrip().startswith("@"):
            return index
    return first


def _of_statement(rule: str, detection: Detection, first: int, last: int, page: _Page) -> Fingerprints:
    """Describe what happens on a few lines: their text and what stands around them."""
    text = _squeeze(detection.line_text or page.lines[first], _offset(detection, page.lines[first]))
    if last > first:
        more = page.lines[first + 1 : min(last, first + _STATEMENT - 1) + 1]
        text += "".join(map(_squeeze, more)).replace(",)", ")").replace(",]", "]").replace(",}", "}")
    above = page.neighbours(first - 1, -1)
    below = page.neighbours(last + 1, 1)
    symbol = detection.symbol or ""
    said = f"{rule}\0{text}"
    return Fingerprints(
        VERSION,
        _hash(f"e\0{said}\0{symbol}\0{above}\0{below}"),
        _hash(f"c\0{said}\0{above}\0{below}") if above or below else "",
        _hash(f"s\0{said}\0{symbol}"),
        _hash(f"t\0{said}") if len(text) >= _DISTINCT else "",
        _hash(f"b\0{said}\0{above}") if above else "",
        _hash(f"a\0{said}\0{below}") if below else "",
    )


def _offset(detection: Detection, line: str) -> int:
    """Return the detection's column counted in the stripped line, from 0."""
    return detection.column - 1 - (len(line) - len(line.lstrip()))


def _of_function(rule: str, detection: Detection, signature: int, page: _Page) -> Fingerprints:
    """Describe a whole function: its name and signature; its body may change at will."""
    text = _squeeze(page.lines[signature])
    body = page.beginning(signature + 1)
    symbol = detection.symbol
    said = f"{rule}\0{text}"
    return Fingerprints(
        version=VERSION,
        exact=_hash(f"E\0{said}\0{symbol or ''}"),
        context=_hash(f"C\0{rule}\0{body}") if len(body) >= _BODY else "",
        symbol=_hash(f"S\0{rule}\0{symbol}") if symbol else _hash(f"s\0{said}"),
        text="",  # methods of many classes share a signature
        after=_hash(f"a\0{said}\0{body}") if body else "",
    )


def _of_file(rule: str) -> Fingerprints:
    """Describe a whole file: there is one such finding of a rule in it."""
    whole = _hash(f"F\0{rule}")
    return Fingerprints(version=VERSION, exact=whole, context="", symbol=whole, text="")


def _without_source(rule: str, detection: Detection) -> Fingerprints:
    """Describe a detection whose file is not at hand: by what it quotes, else by what it says."""
    quoted = detection.line_text or detection.snippet
    text = _squeeze(quoted) if quoted else _NUMBERS.sub("0", "".join(detection.message.split()))
    symbol = detection.symbol or ""
    around = "".join(detection.snippet.split())
    said = f"{rule}\0{text}"
    return Fingerprints(
        version=VERSION,
        exact=_hash(f"e\0{said}\0{symbol}\0{around}"),
        context=_hash(f"c\0{said}\0{around}") if around else "",
        symbol=_hash(f"s\0{said}\0{symbol}"),
        text=_hash(f"t\0{said}") if quoted and len(text) >= _DISTINCT else "",
    )


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
