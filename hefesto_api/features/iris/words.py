"""Which few files of a project have a word: an index that is made behind an analysis, and looked up here.

It leads a correlation to code that is not in the trace, by the rare names of a message (`domain.correlation
.lookup`). It is made of the analysed files' texts as they lie in the tree; files that were sent along are
gone by then, and a project of such has none. What it says is only where to look: whether a function uses a
name is told by the facts of its file.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from hefesto_api.analyzers import structure, workspace
from hefesto_api.analyzers.workspace.values import is_binary
from hefesto_api.domain import decoding
from hefesto_api.domain.correlation import lookup
from hefesto_api.domain.errors import HefestoError, NotFound
from hefesto_api.features.iris import sources
from hefesto_api.storage import code_words, jobs, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.analyzers.workspace import Tree
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.history_places import Place

log = structlog.get_logger("words")

VERSION = "1"  # of what is indexed, and how
UNREAD = "unread"
MOST_FILES = 50_000
MOST_BYTES = 1 << 27
MOST_WORDS = 500_000  # different ones, rare or not: 80 MB while the index is made
MOST_UNREAD = 0.1  # of the files; what is rare among some of them says nothing
LONGEST = 100  # bytes of a word
PRIORITY = 6  # behind alerts, analyses and history
WORD = re.compile(rb"\b[A-Za-z_]\w{%d,%d}\b" % (lookup.SHORTEST - 1, LONGEST - 1))
SIZE_OF_PATH = 150  # bytes that a path takes in memory
_BITS = 20  # of a file's number
_FULL = 1 << _BITS * (lookup.FEW_FILES - 1)  # what holds as many numbers as there may be
_COMMON = -1


class Hooks(NamedTuple):
    """What the caller has a say in: `hold` raises in a transaction that must not commit any more."""

    hold: Callable[[Session], None] = lambda session: None
    stopped: Callable[[], bool] = lambda: False


class Words(Struct, frozen=True):
    """An index as it is kept: the hashes of words, sorted, and beside each the number of a file that has it.

    A word of several files stands there several times. Numbers are little-endian: 8 bytes a hash, 4 a file.
    """

    paths: list[str]
    hashes: bytes
    files: bytes


_WORDS = decoding.of_msgpack(Words)


class Index:
    """An index that words are looked up in."""

    def __init__(self, packed: bytes) -> None:
        kept = _WORDS.decode(packed)
        self._paths = kept.paths
        self._hashes = _numbers("Q", kept.hashes)
        self._files = _numbers("I", kept.files)
        self.size = len(packed) + SIZE_OF_PATH * len(kept.paths)  # in memory, in bytes

    def naming(self, name: str) -> list[str]:
        """Return the files, other than tests, that have a name as a word: none if more than a few have."""
        wanted = _hash(name.encode("utf-8", "surrogatepass"))
        first, last = bisect_left(self._hashes, wanted), bisect_right(self._hashes, wanted)
        return [self._paths[number] for number in self._files[first:last]]


class Finder:
    """Looks names up in the index of a project's files as of one state; nothing is read before the first."""

    def __init__(self, db: Database, memory: Memory, project_id: str, state: str) -> None:
        self._db = db
        self._memory = memory
        self._project_id = project_id
        self._state = state

    def naming(self, name: str) -> list[str]:
        """Return the few files that have a name as a word."""
        return self._index.naming(name) if self._index is not None else []

    @cached_property
    def _index(self) -> Index | None:
        place = ("words", self._project_id, self._state)
        found: Index | None = self._memory.get(place)
        if found is None:
            with self._db.read() as session:
                packed = code_words.words(session, self._project_id, self._state)
            if packed is not None:  # else replaced in this moment
                found = Index(packed)
                self._memory.keep(place, found, found.size)
        return found


def after_analysis(db: Database, record: AnalysisRecord) -> None:
    """Queue the making of a project's index after an analysis, however that ended."""
    if record.project_id is not None:
        with db.write() as session:
            ask_for(session, record.project_id)


def ask_for_outdated(db: Database) -> None:
    """Queue what analyses left behind that no job asked for it: of the command line, or before an upgrade."""
    with db.read() as session:
        found = code_words.outdated(session)
    if found:
        with db.write() as session:
            for project_id in found:
                ask_for(session, project_id)


def ask_for(session: Session, project_id: str) -> None:
    """Queue the making of a project's index; not twice at a time."""
    jobs.enqueue(
        session,
        "words",
        {"project_id": project_id},
        lane=f"words:{project_id}:",
        priority=PRIORITY,
        dedupe_key=f"words:{project_id}",
    )


def index(db: Database, project_id: str, roots: Sequence[Path] | None, hooks: Hooks = Hooks()) -> bool:  # noqa: B008 - a constant
    """Make a project's index, unless its files are as they were; False: interrupted.

    While an analysis of the project goes on nothing is done: it asks again at its end.
    """
    with db.read() as session:
        try:
            project = projects.by_id(session, project_id)
        except NotFound:  # deleted meanwhile
            return True
        analysed = code_words.analysed(session, project_id)
        former = code_words.state(session, project_id)
    if analysed is None:
        return True
    state = f"{VERSION}:{analysed.state}"
    if state == former:
        with db.write() as session:
            hooks.hold(session)
            code_words.confirm(session, project_id, analysed.at)
        return True
    with _reading(sources.Sources(db, project, roots).places, roots) as read:
        made = make(analysed.paths, read, hooks.stopped)
    if hooks.stopped():
        return False
    log.info("words_indexed", project=project.slug, files=made.files, words=made.words, reason=made.reason)
    with db.write() as session:
        hooks.hold(session)
        # Files that cannot be read may be there after the next analysis, be they the same.
        code_words.keep(session, project_id, "" if made.reason == UNREAD else state, analysed.at, made.packed)
    return True


class Made(NamedTuple):
    """What an index of so many files and words came to, packed; else why there is none."""

    files: int
    words: int = 0
    packed: bytes | None = None
    reason: str | None = None


def make(
    paths: Iterable[str], read: Callable[[str], bytes | None], stopped: Callable[[], bool] = lambda: False
) -> Made:
    """Index the words that a few of the files have: of those with facts, other than tests.

    There is none of a project with too many files, bytes or words, or with too many files that cannot be
    read.
    """
    wanted = [one for one in paths if structure.language_of(one) and not lookup.TESTS.search(one.lower())]
    if len(wanted) > MOST_FILES:
        return Made(len(wanted), reason="too many files")
    holders: dict[bytes, int] = {}  # the numbers of the files that have a word, from 1, in one
    left, unread = MOST_BYTES, 0
    for number, path in enumerate(wanted, 1):
        if stopped():
            break
        text = read(path)
        if text is None:
            unread += 1
            continue
        left -= len(text)
        if not is_binary(text):
            _count(holders, number, text)
        if left < 0 or len(holders) > MOST_WORDS:
            return Made(len(wanted), len(holders), reason="too large")
    if unread > MOST_UNREAD * len(wanted):
        return Made(len(wanted), reason=UNREAD)
    return Made(len(wanted), len(holders), _packed(wanted, holders))


def _count(holders: dict[bytes, int], number: int, text: bytes) -> None:
    for word in set(WORD.findall(text)):
        had = holders.get(word, 0)
        if had != _COMMON:
            holders[word] = _COMMON if had >= _FULL else had << _BITS | number


def _packed(paths: list[str], holders: Mapping[bytes, int]) -> bytes:
    pairs = sorted((_hash(word), number) for word, had in holders.items() for number in _split(had))
    hashes, files = array("Q", (one for one, _ in pairs)), array("I", (number for _, number in pairs))
    if sys.byteorder == "big":
        hashes.byteswap()
        files.byteswap()
    return msgspec.msgpack.encode(Words(paths, hashes.tobytes(), files.tobytes()))


def _split(numbers: int) -> Iterator[int]:
    """Yield the places of the files whose numbers are in one; of a common word none."""
    while numbers > 0:
        yield (numbers & ((1 << _BITS) - 1)) - 1
        numbers >>= _BITS


def _hash(word: bytes) -> int:
    return int.from_bytes(blake2b(word, digest_size=8).digest(), "little")


def _numbers(kind: str, packed: bytes) -> array[int]:
    found = array(kind)
    found.frombytes(packed)
    if sys.byteorder == "big":
        found.byteswap()
    return found


@contextmanager
def _reading(
    places: Iterable[Place], roots: Sequence[Path] | None
) -> Iterator[Callable[[str], bytes | None]]:
    """Give what reads a file of a project as it lies in the tree, from the first root that has it."""
    with ExitStack() as held:
        trees: list[tuple[Tree, str]] = []
        for root in dict.fromkeys(root for root, _ in places):
            with suppress(HefestoError):
                location = workspace.resolve(root, roots or (Path(root),))
                beneath = f"{location.relative}/" if location.relative else ""
                trees.append((held.enter_context(workspace.open_root(location)), beneath))

        def read(path: str) -> bytes | None:
            for tree, beneath in trees:
                with suppress(HefestoError):
                    return tree.read(beneath + path, sources.MOST_BYTES)
            return None

        yield read
