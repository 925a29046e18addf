"""What is known of a project's code as of a revision, kept in the process and in the database.

The facts of a file are read from its text as of the revision that ran, else as it lies in the tree; where
there is no text, from the structure that its analysis left. They are kept by the text's hash.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from hefesto_api.analyzers import facts, structure
from hefesto_api.domain import decoding
from hefesto_api.domain.code import FileFacts, FunctionFacts
from hefesto_api.features.iris import reading
from hefesto_api.storage import code_facts, contents, correlation_inputs
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.structure import Function
    from hefesto_api.features.iris.reading import Places
    from hefesto_api.features.iris.sources import Sources
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.code_facts import Key
    from hefesto_api.storage.correlation_inputs import FileContent
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

SIZE_OF_PATH = 300  # bytes that a path takes in an index
SMALLEST = 500
SWELLING = 10  # what facts take in memory, for each byte of them packed
WORKED_OUT = 6  # likewise what is kept with them once they were ranked
_FACTS: msgspec.msgpack.Decoder[FileFacts | None] = decoding.of_msgpack(FileFacts | None)  # type: ignore[arg-type]


class Known(NamedTuple):
    """The facts of a file, packed (None: there are none), and the hash they are kept by (None: not kept).

    Packed they take a tenth of the room; unpacked are those that crashes asked for lately.
    """

    packed: bytes | None
    key: Key | None

    def facts(self, path: str) -> FileFacts | None:
        """Return the facts as those of a path."""
        if self.packed is None:
            return None
        found = _FACTS.decode(self.packed)
        return replace(found, path=path) if found is not None and found.path != path else found

    @property
    def size(self) -> int:
        """What it takes in memory, in bytes."""
        return SMALLEST + len(self.packed or b"")


class Unpacked(NamedTuple):
    """The facts of a file, and what they take in memory, in bytes, with what is worked out of them."""

    facts: FileFacts
    size: int


Held = dict[tuple[Any, ...], Unpacked]
"""Facts that something is kept with, by their places in memory."""


class Code:
    """The facts of one project's files as of one revision (None: as they are now).

    `fresh` gathers what was read anew, to be kept by whoever opens the database for writing.
    """

    def __init__(
        self,
        db: Database,
        memory: Memory,
        sources: Sources,
        project_id: str,
        state: str,
        revision: str | None,
    ) -> None:
        self._db = db
        self._memory = memory
        self._sources = sources
        self._project_id = project_id
        self._revision = revision
        self._state = revision or state
        self.used: dict[str, Key | None] = {}
        self.fresh: dict[Key, bytes] = {}
        self.held: Held = {}  # what was returned, as far as it is shared
        self.unpacked = 0  # bytes that the rest takes

    def facts_of(self, path: str) -> FileFacts | None:
        """Return the facts of a file; None where nothing is known of it."""
        place = ("facts", self._project_id, self._state, path)
        known: Known | None = self._memory.get(place)
        if known is None:
            known = self._read(path)
            self._memory.keep(place, known, known.size)
        if known.packed is None:
            return None
        self.used[path] = known.key
        if known.key is not None:
            return self._shared(path, known, known.key)
        self.unpacked += SWELLING * known.size
        return known.facts(path)

    def facts_at(self, path: str, commit: str) -> FileFacts | None:
        """Return the facts of a file as of another commit, from its text there alone."""
        place = ("facts", self._project_id, commit, path)
        known: Known | None = self._memory.get(place)
        if known is None:
            text = self._sources.read(path, commit)
            if text is None:
                return None
            known = self._of_text(path, text)
            self._memory.keep(place, known, known.size)
        return known.facts(path)

    def _shared(self, path: str, known: Known, key: Key) -> FileFacts | None:
        """Unpack facts once for many crashes: one file is in most of those that come together."""
        place = ("unpacked", key, path)
        shared: Unpacked | None = self._memory.get(place)
        if shared is None:
            facts = known.facts(path)
            if facts is None:
                return None
            shared = Unpacked(facts, (SWELLING + WORKED_OUT) * known.size)
            self._memory.keep(place, shared, shared.size)
        self.held[place] = shared
        return shared.facts

    def _read(self, path: str) -> Known:
        if structure.language_of(path) is None:
            return Known(None, None)
        text = self._sources.read(path, self._revision) if self._revision else None
        if text is not None:
            return self._of_text(path, text)
        with self._db.read() as session:
            content = correlation_inputs.content_of(session, self._project_id, path)
            if content is not None and (packed := _kept(session, (content.sha256, _variant(path)))):
                return Known(packed, (content.sha256, _variant(path)))
        text = self._sources.read(path)
        return self._of_text(path, text) if text is not None else self._of_structure(path, content)

    def _of_text(self, path: str, text: bytes) -> Known:
        key = (sha256(text).hexdigest(), _variant(path))
        with self._db.read() as session:
            packed = _kept(session, key)
        if packed is None:
            packed = msgspec.msgpack.encode(facts.extract(path, text))
            self.fresh[key] = packed
        return Known(packed, key)

    def _of_structure(self, path: str, content: FileContent | None) -> Known:
        """Name at least the functions, whose text is not to be had."""
        if content is None or content.language is None:
            return Known(None, None)
        with self._db.read() as session:
            named = contents.functions_of(session, content.content_id)
        found = FileFacts(path, content.language, tuple(map(_of_function, named)))
        return Known(msgspec.msgpack.encode(found), None)


def hold(memory: Memory, held: Held) -> None:
    """Let facts stay in memory, and count, as long as what is kept with them is in use."""
    for place, shared in held.items():
        if memory.get(place) is None:
            memory.keep(place, shared, shared.size)


def places_of(session: Session, memory: Memory, project: ProjectRecord, state: str) -> tuple[Places, bool]:
    """Return where a project's frames are looked for, and whether an analysis saw its files.

    `state` names what was analysed last: with another one the paths are read anew.
    """
    place = ("places", project.id, state, project.revision)
    found: tuple[Places, bool] | None = memory.get(place)
    if found is None:
        paths = correlation_inputs.analysed_paths(session, project.id)
        others = paths or correlation_inputs.named_paths(session, project.id)
        found = reading.places(others, project.path_mappings), bool(paths)
        memory.keep(place, found, SMALLEST + SIZE_OF_PATH * len(others))
    return found


def stored(session: Session, keys: Iterable[tuple[str, Key]]) -> dict[str, FileFacts]:
    """Return the facts that are kept of paths by their hashes: what an old correlation was made from."""
    wanted = dict(keys)
    kept = code_facts.lookup(session, facts_version(), wanted.values())
    known = {path: Known(kept[key], key).facts(path) for path, key in wanted.items() if key in kept}
    return {path: one for path, one in known.items() if one is not None}


@cache
def facts_version() -> str:
    """Name the version of what reads facts: a hash of its code, its parsers and the shape of the values."""
    digest = sha256(f"{__version__} {version('tree-sitter')}".encode())
    folders = [Path(str(module.__file__)).parent for module in (facts, structure)]
    for path in sorted(file for folder in folders for file in folder.glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(repr(msgspec.inspect.type_info(FileFacts)).encode())
    return digest.hexdigest()[:16]


def _kept(session: Session, key: Key) -> bytes | None:
    return code_facts.lookup(session, facts_version(), [key]).get(key)


def _variant(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _of_function(one: Function) -> FunctionFacts:
    return FunctionFacts(
        one.qualified_name,
        one.name,
        one.class_name,
        one.start_line,
        one.end_line,
        cyclomatic=one.cyclomatic,
    )
