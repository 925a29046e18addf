"""The common machine: find lines that may begin a trace, let a language read on, join the parts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from hefesto_api.domain.traces.lines import Lines, unfold
from hefesto_api.domain.traces.model import Raised, Relation, Trace

OF_ITS_GROUP: Final = -1  # a member's `of` in a block: whatever the block's own exception is a member of


class Block(Struct):
    """What a language read in one go: exceptions as printed, the primary's index, the line behind it.

    `previous` says what the block before this one is to it (Python tells of a cause before its effect);
    `member` that it belongs to the last group before it that is drawn less `depth` to the right.
    """

    exceptions: list[Raised]
    end: int
    primary: int = 0
    previous: Relation | None = None
    others: list[Raised] = []
    member: bool = False
    depth: int = 0
    language: str = ""
    start: int = 0


# Read from line `number` on, looking back no further than `floor`. Without a trace, the line behind those
# that were read for nothing, which are not offered to the reader again; None is short for `number + 1`.
Reader: TypeAlias = Callable[[Lines, int, int], Block | int | None]


class Language(Struct, frozen=True):
    """A language: its reader, and what every first line of a trace holds: all texts of a hint, in order.

    `newest_first` tells that an exception is printed before its cause; `last` that of several independent
    traces the last counts.
    """

    name: str
    hints: tuple[tuple[str, ...], ...]
    read: Reader
    newest_first: bool = False
    last: bool = False


def read(text: str, languages: Sequence[Language]) -> Trace:
    """Read the first language's trace that the text holds."""
    text = unfold(text)
    lines = Lines(text)
    blocks = list(_blocks(text, lines, languages))
    if not blocks:
        return Trace(unread=tuple(lines.unread))
    language = next(language for language in languages if language.name == blocks[0].language)
    mine = [block for block in blocks if block.language == language.name]
    for block in blocks:
        if block.language != language.name:
            lines.skip(block.start, f"a trace of another language: {block.language}")
    return _joined(language, mine, lines)


def _blocks(text: str, lines: Lines, languages: Sequence[Language]) -> Iterator[Block]:
    floor = 0
    refused = dict.fromkeys((language.read for language in languages), 0)
    for number, candidates in _candidates(text, languages):
        if number < floor:
            continue
        for language in candidates:
            if number < refused[language.read]:
                continue
            lines.learn("")
            kept = len(lines.unread)
            block = language.read(lines, number, floor)
            if isinstance(block, Block):
                block.language, block.start = language.name, number
                floor = max(block.end, number + 1)
                yield block
                break
            refused[language.read] = block or 0
            del lines.unread[kept:]


def _candidates(text: str, languages: Sequence[Language]) -> list[tuple[int, list[Language]]]:
    holding = {hint: _holding(text, *hint) for language in languages for hint in language.hints}
    found: dict[int, list[Language]] = defaultdict(list)
    for language in languages:
        for number in sorted({number for hint in language.hints for number in holding[hint]}):
            found[number].append(language)
    return sorted(found.items(), key=lambda item: item[0])


def _holding(text: str, first: str, *others: str) -> list[int]:
    """The numbers of the lines that hold these texts, in this order."""
    numbers: list[int] = []
    number = counted = 0
    at = text.find(first)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        found = at + len(first)
        for other in others:
            place = text.find(other, found)
            if place < 0:
                return numbers
            if place >= end:  # no line before that place holds it
                at = text.find(first, text.rfind("\n", 0, place) + 1)
                break
            found = place + len(other)
        else:
            number += text.count("\n", counted, at)
            counted = at
            numbers.append(number)
            at = text.find(first, end)
    return numbers


def _joined(language: Language, blocks: list[Block], lines: Lines) -> Trace:
    exceptions: list[Raised] = []
    primaries: list[int] = []
    groups: list[tuple[int, int]] = []
    for block in blocks:
        shift = len(exceptions)
        exceptions += [_shifted(raised, shift) for raised in block.exceptions]
        if not block.exceptions:
            continue
        mine = shift + block.primary
        if block.previous and primaries:
            _hand_on(exceptions, primaries[-1], block.previous, mine)
        while groups and groups[-1][0] >= block.depth:
            groups.pop()
        group = groups[-1][1] if groups else None
        if block.member and group is not None:
            exceptions[mine] = msgspec.structs.replace(exceptions[mine], relation="member", of=group)
        for index in range(shift, len(exceptions)):
            if exceptions[index].of == OF_ITS_GROUP:
                exceptions[index] = msgspec.structs.replace(exceptions[index], of=group)
        groups.append((block.depth, mine))
        primaries.append(mine)
    others = tuple(raised for block in blocks for raised in block.others)
    if not exceptions:
        return Trace(language.name, others=others, unread=tuple(lines.unread))
    ends = [index for index in primaries if exceptions[index].relation is None] or primaries
    primary = ends[-1] if language.last else ends[0]
    if language.newest_first:
        exceptions, primary = turned(exceptions), len(exceptions) - 1 - primary
    return Trace(language.name, tuple(exceptions), primary, others, tuple(lines.unread))


def _hand_on(exceptions: list[Raised], earlier: int, relation: Relation, later: int) -> None:
    """What was raised earlier is told of by what came later, which takes its place in a group."""
    was = exceptions[earlier]
    exceptions[earlier] = msgspec.structs.replace(was, relation=relation, of=later)
    if was.relation == "member":
        exceptions[later] = msgspec.structs.replace(exceptions[later], relation="member", of=was.of)


def _shifted(raised: Raised, shift: int) -> Raised:
    if raised.of is None or raised.of < 0:
        return raised
    return msgspec.structs.replace(raised, of=raised.of + shift)


def turned(exceptions: list[Raised]) -> list[Raised]:
    """The exceptions in reverse, each still of the same one."""
    last = len(exceptions) - 1
    return [
        raised if raised.of is None else msgspec.structs.replace(raised, of=last - raised.of)
        for raised in reversed(exceptions)
    ]
