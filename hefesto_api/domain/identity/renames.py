"""Which of the files that appeared are files that went missing, under another name."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar
from zlib import crc32

from msgspec import Struct

_ALIKE = 0.5  # least share of traits in common (Jaccard) to call two files one
_MARGIN = 0.15  # by which the best candidate must beat the next
_EVIDENCE = 3  # traits in common that prove something; one is enough under the same base name
_COMMON = 20  # a trait of more files than this tells them not apart
_SHORT = 4  # bytes below which a line says nothing
_SKETCH = 64  # hashes of lines kept of a file
_AMPLE = 4  # times as many hashes as are kept: how many of a long text are looked at
_HASHES = 1 << 32
_EDITED = 0.35  # share of lines in common below which equal names prove nothing

_T = TypeVar("_T")


class FileTraits(Struct, frozen=True):
    """What is remembered of a file's content: enough to know it again after a move and an edit.

    `prints` are the context prints of its findings, `names` the qualified names of its functions, `lines`
    a `sketch` of its text; each may be missing.
    """

    sha256: str
    size: int
    prints: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    lines: frozenset[int] = frozenset()


def sketch(lines: Iterable[bytes], size: int = _SKETCH) -> tuple[int, ...]:
    """Return the `size` smallest hashes of a text's distinct lines: a sample that edits change little.

    Bottom-k MinHash (Broder 1997): the same lines are drawn in both versions of a file. The lines are given
    without white space, so that indentation does not count.
    """
    telling = [line for line in lines if len(line) >= _SHORT]
    if len(telling) > _AMPLE * size:
        # Sorting all hashes of a long text took half of the time; the smallest are among the small ones.
        small = set(filter((_AMPLE * size * _HASHES // len(telling)).__gt__, map(crc32, telling)))
        if len(small) >= size:  # else its lines are much the same
            return tuple(sorted(small)[:size])
    return tuple(sorted(set(map(crc32, telling)))[:size])


def renames(missing: Mapping[str, FileTraits], appeared: Mapping[str, FileTraits]) -> dict[str, str]:
    """Return the old path of each new path that is the same file: first by content, then by likeness.

    Among several files of equal content the longest common end of the paths decides; what is still
    ambiguous stays apart. Likeness needs half of the traits in common, and a clear distance to any other
    candidate on either side.
    """
    found = _equal(missing, appeared)
    taken = set(found.values())
    rest_missing = {path: traits for path, traits in missing.items() if path not in taken}
    rest_appeared = {path: traits for path, traits in appeared.items() if path not in found}
    return found | _alike(rest_missing, rest_appeared)


def _equal(missing: Mapping[str, FileTraits], appeared: Mapping[str, FileTraits]) -> dict[str, str]:
    olds, news = _by_content(missing), _by_content(appeared)
    found: dict[str, str] = {}
    for content in olds.keys() & news.keys():
        if len(olds[content]) == len(news[content]) == 1:
            found[news[content][0]] = olds[content][0]
        else:
            found |= _by_path(olds[content], news[content])
    return found


def _by_content(files: Mapping[str, FileTraits]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for path, traits in files.items():
        groups[traits.sha256].append(path)
    return groups


def _by_path(olds: Sequence[str], news: Sequence[str]) -> dict[str, str]:
    """Pair paths of equal content by the longest end they share, then by the folder they stay in.

    Each time only where one path on each side has it.
    """
    found: dict[str, str] = {}
    left, right = set(olds), set(news)
    for depth in range(min(_depth(left), _depth(right)), -1, -1):
        key = partial(_tail, depth=depth) if depth else _folder
        ends, others = _unique(left, key), _unique(right, key)
        for tail in ends.keys() & others.keys():
            found[others[tail]] = ends[tail]
            left.discard(ends[tail])
            right.discard(others[tail])
    return found


def _depth(paths: Collection[str]) -> int:
    return max((path.count("/") + 1 for path in paths), default=0)


def _unique(paths: Iterable[str], key: Callable[[str], str | None]) -> dict[str, str]:
    """Map each key that one path alone has to that path."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if (value := key(path)) is not None:
            groups[value].append(path)
    return {value: same[0] for value, same in groups.items() if len(same) == 1}


def _tail(path: str, depth: int) -> str | None:
    """Return the last `depth` parts of a path that has as many."""
    parts = path.rsplit("/", depth)
    return "/".join(parts[-depth:]) if len(parts) >= depth else None


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _alike(missing: Mapping[str, FileTraits], appeared: Mapping[str, FileTraits]) -> dict[str, str]:
    """Pair files that are each other's best candidate by a margin."""
    scores = _scores(missing, appeared)
    backwards: dict[str, dict[str, float]] = defaultdict(dict)
    for new, olds in scores.items():
        for old, score in olds.items():
            backwards[old][new] = score
    found: dict[str, str] = {}
    for new, candidates in scores.items():
        best = _clear_best(candidates)
        if best is not None and _clear_best(backwards[best]) == new:
            found[new] = best
    return found


def _clear_best(scores: Mapping[str, float]) -> str | None:
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
    if not ranked or scores[ranked[0]] < _ALIKE:
        return None
    if len(ranked) == 2 and scores[ranked[0]] - scores[ranked[1]] < _MARGIN:
        return None
    return ranked[0]


def _scores(
    missing: Mapping[str, FileTraits], appeared: Mapping[str, FileTraits]
) -> dict[str, dict[str, float]]:
    """Return, for each new path, the likeness of the old ones that share a telling trait with it."""
    holders: dict[str | int, list[str]] = defaultdict(list)
    for old, traits in missing.items():
        for trait in _all(traits):
            holders[trait].append(old)
    scores: dict[str, dict[str, float]] = {}
    for new, traits in appeared.items():
        telling = [olds for trait in _all(traits) if 0 < len(olds := holders.get(trait, ())) <= _COMMON]
        near = {old for olds in telling for old in olds}
        scores[new] = {old: _likeness(missing[old], traits, _same_name(old, new)) for old in near}
    return scores


def _all(traits: FileTraits) -> Iterator[str | int]:
    yield from traits.prints
    yield from traits.names
    yield from traits.lines


def _likeness(old: FileTraits, new: FileTraits, same_name: bool) -> float:
    """Return how much two files have in common, 0 to 1: their lines, or lines and what is in them.

    Names alone prove little: many files of a framework define the same ones.
    """
    least = 1 if same_name else _EVIDENCE
    inside = _share(old.prints | old.names, new.prints | new.names, least)
    if not old.lines or not new.lines:
        return inside
    text = _share(*_comparable(old.lines, new.lines), least)
    return max(text, (text + inside) / 2) if text >= _EDITED else 0.0


def _comparable(one: frozenset[int], other: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
    """Cut two sketches to the hashes that are among the least of both texts taken together."""
    if max(len(one), len(other)) < _SKETCH:
        return one, other
    least = frozenset(sorted(one | other)[:_SKETCH])
    return one & least, other & least


def _share(one: frozenset[_T], other: frozenset[_T], least: int) -> float:
    """Return the Jaccard index of two sets; 0.0 when they share too little to prove anything."""
    shared = len(one & other)
    return shared / len(one | other) if shared >= least else 0.0


def _same_name(one: str, other: str) -> bool:
    return one.rpartition("/")[2] == other.rpartition("/")[2]
