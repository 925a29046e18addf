"""Pairing the findings known of one file with those seen in it now."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from hefesto_api.domain.identity.prints import VERSION, Fingerprints

_ALIGNED = 2_500  # cells of the table that aligns a group of equal findings; beyond it, plain order

EVIDENCE = {
    "near": "its text, its function and the lines on one side of it",
    "context": "its text and the lines around it, in a function of another name",
    "symbol": "its function and its text, though the lines around it changed",
    "moved": "its text and the lines on one side of it, in a function of the same name elsewhere",
    "text": "its text alone, in a function of the same name elsewhere",
    "merged": "the place of a finding that was merged into it",
    "position": "the place where it stood, for it was on record from an older version of this program",
}  # what each pass but the exact one goes by


class Known(Struct, frozen=True):
    """A finding on record; `open` is false for those resolved, which may come back."""

    key: str
    rule_id: str
    line: int
    symbol: str | None
    prints: Fingerprints
    open: bool = True


class Seen(Struct, frozen=True):
    """A detection of this analysis; `key` is whatever the caller tells them apart by."""

    key: int | str
    rule_id: str
    line: int
    symbol: str | None
    prints: Fingerprints


class Pair(NamedTuple):
    """A known finding that was seen again; `how` names the pass (exact ... text) that says so."""

    known: str
    seen: int | str
    how: str


class Matching(Struct, frozen=True):
    """The outcome: pairs, open findings that were not seen, and what is seen for the first time."""

    pairs: list[Pair]
    gone: list[str]
    fresh: list[int | str]


_Match: TypeAlias = tuple[Known, Seen]


class _Pass(NamedTuple):
    """One kind of evidence: findings for which `evidence` answers equal values (not None) may be one."""

    how: str
    evidence: Callable[[Known | Seen], Hashable | None]
    several: bool = True  # pairs as many as there are, when there are as many on both sides
    uneven: bool = False  # pairs also when there are more on one side
    reopens: bool = True  # brings back what is resolved


def match(known: Sequence[Known], seen: Sequence[Seen]) -> Matching:
    """Pair what is known of one file with what is seen in it, from exact to weak evidence.

    A pass pairs equal prints. Findings with the same print are paired in the order of their lines when
    there are as many of them on both sides; when not, `exact` keeps as many as there are, by the least
    movement, and every weaker pass leaves them apart. What is open is paired before what is resolved, and
    the weakest passes bring nothing resolved back. Time is linear in the findings, but for sorting.
    """
    old, new = sorted(known, key=_line), sorted(seen, key=_line)
    pairs: list[Pair] = []
    shift = _Shift()
    for attempt in _PASSES:
        for standing in (True, False)[: 1 + attempt.reopens]:
            if found := list(_attempt(attempt, [each for each in old if each.open is standing], new, shift)):
                pairs += [Pair(left.key, right.key, attempt.how) for left, right in found]
                taken = {id(each) for match_ in found for each in match_}
                old = [each for each in old if id(each) not in taken]
                new = [each for each in new if id(each) not in taken]
        if not old or not new:
            break
    return Matching(pairs, [each.key for each in old if each.open], [each.key for each in new])


def _attempt(attempt: _Pass, known: list[Known], seen: list[Seen], shift: "_Shift") -> Iterator[_Match]:
    """Yield the pairs that one pass finds; both lists are in the order of lines."""
    groups: dict[Hashable, tuple[list[Known], list[Seen]]] = {}
    for old in known:
        if (evidence := attempt.evidence(old)) is not None:
            groups.setdefault(evidence, ([], []))[0].append(old)
    for new in seen:
        if (evidence := attempt.evidence(new)) is not None and evidence in groups:
            groups[evidence][1].append(new)
    uneven = []
    for olds, news in groups.values():
        if len(olds) == len(news) and (attempt.several or len(olds) == 1):
            shift.learn(olds, news)
            yield from zip(olds, news, strict=True)
        elif news and attempt.uneven:
            uneven.append((olds, news))
    for olds, news in uneven:
        yield from _aligned(olds, news, shift)


class _Shift:
    """How far the code around a line has moved, learnt from the findings that are certain."""

    def __init__(self) -> None:
        self._moved: dict[int, int] = {}
        self._lines: list[int] | None = None

    def learn(self, olds: list[Known], news: list[Seen]) -> None:
        """Take a finding that has no twin as a landmark."""
        if len(olds) == 1:
            self._moved[olds[0].line] = news[0].line - olds[0].line
            self._lines = None

    def expected(self, line: int) -> int:
        """Return where a line should be now, by the nearest landmark above it, else below."""
        if self._lines is None:
            self._lines = sorted(self._moved)
        if not self._lines:
            return line
        return line + self._moved[self._lines[max(bisect_right(self._lines, line) - 1, 0)]]


def _aligned(olds: list[Known], news: list[Seen], shift: _Shift) -> Iterator[_Match]:
    """Pair the fewer of two lists with the others in order, moving them as little as can be."""
    expected = [shift.expected(old.line) for old in olds]
    lines = [new.line for new in news]
    if len(olds) > len(news):
        chosen = _embed(lines, expected)
        yield from ((olds[index], new) for index, new in zip(chosen, news, strict=True))
    else:
        chosen = _embed(expected, lines)
        yield from ((old, news[index]) for index, old in zip(chosen, olds, strict=True))


def _embed(few: list[int], many: list[int]) -> list[int]:
    """Choose for each of `few`, in order, one of `many`, so that the sum of distances is least.

    Two rows of dynamic programming with the choices kept; large groups are paired from the start.
    """
    spare = len(many) - len(few)
    if len(few) * (spare + 1) > _ALIGNED:
        return list(range(len(few)))
    costs = [0] * (spare + 1)  # costs[s]: the best so far with at most s of `many` left out
    left_out: list[list[int]] = []
    for at, line in enumerate(few):
        best: list[int] = []
        choice: list[int] = []
        for skipped in range(spare + 1):
            cost = costs[skipped] + abs(many[at + skipped] - line)
            better = not best or cost < best[-1]
            best.append(cost if better else best[-1])
            choice.append(skipped if better else choice[-1])
        costs = best
        left_out.append(choice)
    return _trace(left_out, spare)


def _trace(left_out: list[list[int]], skipped: int) -> list[int]:
    """Read the choices of `_embed` backwards."""
    chosen: list[int] = []
    for at in range(len(left_out) - 1, -1, -1):
        skipped = left_out[at][skipped]
        chosen.append(at + skipped)
    return chosen[::-1]


def _line(item: Known | Seen) -> int:
    return item.line


def _within(item: Known | Seen, side: str) -> Hashable | None:
    return (item.symbol, side) if side else None


def _named_alike(item: Known | Seen, mark: str) -> Hashable | None:
    """Ask for the same function, in whatever class: in another one like code is other code."""
    return ((item.symbol or "").rpartition(".")[2], mark) if mark else None


def _position(item: Known | Seen) -> Hashable | None:
    """Return where an item stands, for those whose prints an older version of ours computed.

    A resolved finding's line is long out of date, and prints of the present version have had their say.
    """
    if isinstance(item, Known) and (not item.open or item.prints.version == VERSION):
        return None
    return (item.rule_id, item.symbol, item.line)


_PASSES = (
    _Pass("exact", lambda item: item.prints.exact or None, uneven=True),
    _Pass("near", lambda item: _within(item, item.prints.before)),
    _Pass("near", lambda item: _within(item, item.prints.after)),
    _Pass("context", lambda item: item.prints.context or None),
    _Pass("symbol", lambda item: item.prints.symbol or None),
    _Pass("moved", lambda item: _named_alike(item, item.prints.before), several=False, reopens=False),
    _Pass("moved", lambda item: _named_alike(item, item.prints.after), several=False, reopens=False),
    _Pass("text", lambda item: _named_alike(item, item.prints.text), several=False, reopens=False),
    _Pass("position", _position, several=False, reopens=False),
)
