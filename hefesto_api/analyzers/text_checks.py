"""What a text itself can hide: reordered or invisible characters, look-alikes, raw controls, open conflicts.

Every part begins with a search for bytes that plain source does not have, so a clean file costs microseconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.analyzers.catalogue import detection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.domain.finding import Detection

NAME: Final = "text"
BIDI: Final = "HEF-SEC-BIDI-CONTROL"
INVISIBLE: Final = "HEF-SEC-INVISIBLE-CHARACTER"
HOMOGLYPH: Final = "HEF-SEC-HOMOGLYPH"
CONTROL: Final = "HEF-SEC-CONTROL-CHARACTER"
CONFLICT: Final = "HEF-BP-MERGE-CONFLICT"

MAX_LINES: Final = 50  # of each rule in one file
MAX_LOOKUPS: Final = 2000  # of words in the tree, in one file

# Embeddings, overrides and isolates; the marks LRM, RLM and ALM reorder nothing by themselves.
_BIDI_CHARACTERS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_BIDI: Final = re.compile(f"[{_BIDI_CHARACTERS}]")
_ASCII: Final = bytes(range(128))
_FILLERS: Final = "\u115f\u1160\u3164\uffa0"
_ZERO_WIDTH: Final = "\u200b\u200c\u200d\u00ad\u2060\u2061\u2062\u2063\u2064\ufeff"
_SOFT: Final = frozenset(_FILLERS + _ZERO_WIDTH)
_HIDDEN: Final = re.compile(
    f"(?<![^\x00-\x7f])[{_FILLERS}](?![^\x00-\x7f])|(?<=[A-Za-z0-9_])[{_ZERO_WIDTH}]+(?=[A-Za-z0-9_])"
    "|[\ufe00-\ufe0f\U000e0000-\U000e01ef]{10}"  # a text written in selectors or tags
)
_CONTROLS: Final = re.compile("[\x00\x08\x1b]")
_CONTROL_BYTES: Final = (b"\x00", b"\x08", b"\x1b")
# Texts for people, where these characters do what they are for.
_PROSE: Final = (
    *(".po", ".pot", ".xlf", ".xliff", ".md", ".rst", ".txt", ".adoc", ".tex", ".html", ".htm", ".xml"),
    *(".json", ".csv", ".tsv", ".svg", ".srt", ".vtt", ".strings", ".properties", ".arb", ".resx", ".ipynb"),
)

_LOOK_ALIKES: Final = "аеіјорсухһԁԛԝѕАВЕЅІЈКМНОРСТХΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"
_MIXED: Final = re.compile(
    f"(?<!\\w)(?=\\w{{0,200}}[{_LOOK_ALIKES}])(?=\\w{{0,200}}[A-Za-z])[A-Za-z0-9_{_LOOK_ALIKES}]++(?!\\w)"
)
_CONFLICT_LINES: Final = re.compile(rb"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)


class TextCheck(NamedTuple):
    """Looks at the characters of every kind of text; holds nothing."""

    name: str = NAME
    languages: frozenset[str] = frozenset()

    def check(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield a detection for each line and rule."""
        if file.language == "text" and file.path.lower().endswith(_PROSE):
            return
        if not file.content.isascii():
            yield from _unusual(file)
        if any(byte in file.content for byte in _CONTROL_BYTES):
            yield from _each_line(file, _CONTROLS, CONTROL)
        if b"<<<<<<< " in file.content and b">>>>>>> " in file.content:
            yield from _conflicts(file)


TEXT: Final = TextCheck()


def _unusual(file: ParsedFile) -> Iterator[Detection]:
    characters = set(file.content.translate(None, _ASCII).decode("utf-8", "replace"))
    if not characters.isdisjoint(_BIDI_CHARACTERS):
        yield from _each_line(file, _BIDI, BIDI)
    if any(each in _SOFT or "\ufe00" <= each <= "\ufe0f" or each >= "\U000e0000" for each in characters):
        yield from _each_line(file, _HIDDEN, INVISIBLE)
    if file.tree is not None and not characters.isdisjoint(_LOOK_ALIKES):
        yield from _look_alikes(file)


def _each_line(file: ParsedFile, pattern: re.Pattern[str], rule_id: str) -> Iterator[Detection]:
    """Yield one detection for each line that matches, naming the characters by their code points."""
    found = 0
    for number, line in enumerate(file.lines, start=1):
        match = pattern.search(line)
        if match:
            points = sorted({f"U+{ord(each):04X}" for hit in pattern.findall(line) for each in hit})
            yield detection(
                rule_id,
                tool=NAME,
                line=number,
                column=match.start() + 1,
                message=f"The line has {_and(points)}, which no editor shows as it acts.",
                metadata={"characters": points[:20]},
            )
            found += 1
            if found == MAX_LINES:
                return


def _and(points: list[str]) -> str:
    return ", ".join(points[:3]) + (" and others" if len(points) > 3 else "")


def _look_alikes(file: ParsedFile) -> Iterator[Detection]:
    """Names that mix Latin letters with some that only look so; texts for people may spell as they like."""
    found = asked = 0
    for number, line in enumerate(file.lines, start=1):
        if line.isascii():
            continue
        for match in _MIXED.finditer(line):
            asked += 1
            if found >= MAX_LINES or asked > MAX_LOOKUPS:
                return
            if _is_name(file, number, line, match.start()):
                found += 1
                points = sorted({f"U+{ord(each):04X}" for each in match[0] if each in _LOOK_ALIKES})
                yield detection(
                    HOMOGLYPH,
                    tool=NAME,
                    line=number,
                    column=match.start() + 1,
                    message=f"The name {match[0]!r} has letters that only look Latin: {_and(points)}.",
                    metadata={"characters": points[:20]},
                )


def _is_name(file: ParsedFile, number: int, line: str, column: int) -> bool:
    if file.tree is None:
        return False
    at = len(line[:column].encode("utf-8", "surrogatepass"))
    if number == 1 and file.content.startswith(b"\xef\xbb\xbf"):
        at += 3
    node = file.tree.root_node.descendant_for_point_range((number - 1, at), (number - 1, at))
    return node is not None and "identifier" in node.type


def _conflicts(file: ParsedFile) -> Iterator[Detection]:
    """A conflict is the three markers in their order; one alone may be a heading or an example."""
    start = divided = 0
    for number, line in enumerate(file.lines, start=1):
        if line.startswith("<<<<<<< "):
            start, divided = number, 0
        elif start and line == "=======":
            divided = number
        elif divided and line.startswith(">>>>>>> "):
            yield detection(
                CONFLICT,
                tool=NAME,
                line=start,
                end_line=number,
                message="Both sides of a merge conflict stand here, with git's markers around them.",
                metadata={"divided_at": divided},
            )
            start = divided = 0
