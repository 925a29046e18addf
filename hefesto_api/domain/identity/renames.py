"""Which of the files that appeared are files that went missing, under another name."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from zlib import crc32

from msgspec import Struct

_ALIKE = 0.5  # least share of traits in common (Jaccard) to call two files one
_MARGIN = 0.15  # by which the best candidate must beat the next
_EVIDENCE = 3  # traits in common that prove something; one is enough under the same base name
_COMMON = 20  # a trait of more files than this tells them not apart
_SHORT = 4  # characters below which a line says nothing


class FileTraits(Struct, frozen=True):
    """What is remembered of a file's content: enough to know it again after a move and an edit.

    `prints` are the context prints of its findings; `names` the qualified names of its functions, or a
    `sketch` of its lines, or both.
    """

    sha256: str
    size: int
    prints: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def sketch(lines: Iterable[str], size: int = 64) -> frozenset[str]:
    """Return the `size` smallest hashes of a text's distinct lines: a sample that edits change little.

    Bottom-k MinHash (Broder 1997): the same lines are drawn in both versions of a file.
    """
    squeezed = {"".join(line.split()) for line in lines}
    hashes = (crc32(line.encode("utf-8", "surrogatepass")) for line in squeezed if len(line) >= _SHORT)
    return frozenset(format(value, "08x") for value in sorted(hashes)[:size])


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
            found |= _by_tail(olds[content], news[content])
    return found


def _by_content(files: Mapping[str, FileTraits]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for path, traits in files.items():
        groups[traits.sha256].append(path)
    return groups


def _by_tail(olds: Sequence[str], news: Sequence[str]) -> dict[str, str]:
    """Pair paths of equal content by the longest end they share, where only one on each side has it."""
    found: dict[str, str] = {}
    left, right = set(olds), set(news)
    for depth in range(min(_depth(left), _depth(right)), 0, -1):
        ends, others = _unique_tails(left, depth), _unique_tails(right, depth)
        for tail in ends.keys() & others.keys():
            found[others[tail]] = ends[tail]
            left.discard(ends[tail])
            right.discard(others[tail])
    return found


def _depth(paths: Collection[str]) -> int:
    return max((path.count("/") + 1 for path in paths), default=0)


def _unique_tails(paths: Iterable[str], depth: int) -> dict[str, str]:
    """Map the last `depth` parts of the paths that have as many to the one path that ends so."""
    tails: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        parts = path.rsplit("/", depth)
        if len(parts) >= depth:
            tails["/".join(parts[-depth:])].append(path)
    return {tail: same[0] for tail, same in tails.items() if len(same) == 1}


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
    holders: dict[str, list[str]] = defaultdict(list)
    for old, traits in missing.items():
        for trait in traits.prints | traits.names:
            holders[trait].append(old)
    scores: dict[str, dict[str, float]] = {}
    for new, traits in appeared.items():
        own = traits.prints | traits.names
        near = {
            old for trait in own if len(holders.get(trait, ())) <= _COMMON for old in holders.get(trait, ())
        }
        scores[new] = {old: _likeness(missing[old], own, _same_name(old, new)) for old in near}
    return scores


def _likeness(old: FileTraits, own: frozenset[str], same_name: bool) -> float:
    """Return the Jaccard index of two files' traits; 0.0 when what they share proves nothing."""
    theirs = old.prints | old.names
    shared = len(theirs & own)
    if shared < (1 if same_name else _EVIDENCE):
        return 0.0
    return shared / len(theirs | own)


def _same_name(one: str, other: str) -> bool:
    return one.rpartition("/")[2] == other.rpartition("/")[2]
