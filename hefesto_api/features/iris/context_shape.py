"""The functions of a text and its lines with secrets masked: from what is on record, else parsed now.

What was not analysed as it stands (an old commit, an edited file) is parsed by a child as an analysis has
them: without an environment, bounded in memory, killed when it takes too long. It is started when it is first
needed, serves one request at a time, and what came of a text is kept in the process by its hash: a text that
kills the child costs one answer its functions.
"""

from __future__ import annotations

import atexit
import os
import threading
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.analyzers import child, secrets, structure
from hefesto_api.analyzers.base import ParsedFile, SourceFile
from hefesto_api.analyzers.examination import Examination, lines_of
from hefesto_api.analyzers.pool import ParserChild
from hefesto_api.analyzers.registry import Thresholds
from hefesto_api.domain.errors import HefestoError
from hefesto_api.domain.structure import FileStructure, Function
from hefesto_api.storage import history_contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.storage.database import Database

PATIENCE = 2.0  # seconds for which a request waits until the child is free
_SIZE_OF_FUNCTION = 600


class Shape(Struct, frozen=True):
    """A text: its functions and classes, and its lines as they may be shown (None: the text is not known)."""

    structure: FileStructure
    lines: Sequence[str] | None

    @property
    def length(self) -> int:
        """How many lines it has."""
        return len(self.lines) if self.lines is not None else self.structure.lines

    def named(self, qualified_name: str) -> Function | None:
        """Return the one function of a name; None for none and for several."""
        found = [one for one in self.structure.functions if one.qualified_name == qualified_name]
        return found[0] if len(found) == 1 else None

    def class_at(self, line: int) -> str | None:
        """Return the innermost class that holds a line."""
        holding = [one for one in self.structure.classes if one.start_line <= line <= one.end_line]
        innermost = min(holding, key=lambda one: one.end_line - one.start_line, default=None)
        return innermost.qualified_name if innermost else None


def shape_of(db: Database, memory: Memory, path: str, text: bytes) -> Shape:
    """Return the shape of a text; of one that no grammar reads, or that cannot be parsed, only lines."""
    language = structure.language_of(path)
    key = ("shape", sha256(text).hexdigest(), language)
    known: Shape | None = memory.get(key)
    if known is None:
        found = _structure(db, key[1] or "", path, text, language) if language else None
        lines = _masked(path, text)
        known = Shape(found or FileStructure(language or "text", len(lines), 0), lines)
        memory.keep(key, known, 3 * len(text) + _SIZE_OF_FUNCTION * (2 + len(known.structure.functions)))
    return known


def shape_on_record(db: Database, sha256_: str, language: str) -> Shape | None:
    """Return the shape that an analysis left of a content whose text is not at hand."""
    with db.read() as session:
        packed = history_contents.report_of(session, sha256_, language)
    found = child.unpack(packed).structure if packed else None
    return Shape(found, None) if found else None


def _structure(db: Database, hash_: str, path: str, text: bytes, language: str) -> FileStructure | None:
    known = shape_on_record(db, hash_, language)
    return known.structure if known else _parser.parse(SourceFile(path, text, language))


def _masked(path: str, text: bytes) -> list[str]:
    """Mask in all of the text: what is cut from a key's middle cannot be recognised alone."""
    lines = lines_of(text)
    plain = FileStructure("text", len(lines), 0)
    decoded = text.decode("utf-8-sig", "replace")
    return secrets.masked_lines(ParsedFile(path, "text", text, decoded, lines, None, plain))


class _Parser:
    """The one parser child of this process."""

    def __init__(self) -> None:
        self._free = threading.Lock()
        self._child: ParserChild | None = None

    def parse(self, file: SourceFile) -> FileStructure | None:
        """Return the structure of a file; None when it cannot be had (in time)."""
        if not self._free.acquire(timeout=PATIENCE):
            return None
        try:
            self._child = self._child or ParserChild(Thresholds())
            batches = iter([[Examination(file, only_given=True)]])
            ((_, packed),) = chain.from_iterable(
                self._child.examine(lambda _wait, _before: next(batches, None))
            )
            return child.unpack(packed).structure
        except (HefestoError, OSError):
            return None
        finally:
            self._free.release()

    def close(self) -> None:
        """End the child."""
        held, self._child = self._child, None
        if held is not None:
            held.close()

    def forget(self) -> None:
        """After a fork, in the child: the parser is the parent's."""
        self._free = threading.Lock()
        self._child = None


_parser = _Parser()
atexit.register(_parser.close)
os.register_at_fork(after_in_child=_parser.forget)
