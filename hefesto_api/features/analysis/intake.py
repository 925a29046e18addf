"""Sorting the files of an analysis: unchanged, known from elsewhere, or new to the engine.

Nothing is analysed twice: a file that `stat` calls untouched is not even read, a content that any project
ever held is not examined again, and equal files of one run are examined once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.analyzers.engine import ContentKey, content_key
from hefesto_api.analyzers.workspace import Skipped
from hefesto_api.storage import contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hefesto_api.analyzers.base import SourceFile
    from hefesto_api.features.analysis.order import Listed, Source
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.recorded import Recorded

GROUP = 256
RACY_SECONDS = 2.0  # a file changed so shortly before it was looked at may have changed again since


class Sorted(Struct, frozen=True):
    """A file whose content is on record, with the content's key."""

    file: Listed
    key: ContentKey


class Intake:
    """Reads and sorts the files; `unknown()` yields what the engine has to examine.

    After it is exhausted `unchanged` holds the files that are as the last analysis of the project left
    them, `known` those whose content is on record, and `skipped` what could not be read. `twins` maps a
    key to all files of the run that share it; the engine gets the first.
    """

    def __init__(
        self,
        db: Database,
        engine_version: str,
        source: Source,
        recorded: Mapping[str, Recorded],
        stopped: Callable[[], bool],
    ) -> None:
        self._db = db
        self._version = engine_version
        self._source = source
        self._recorded = recorded
        self._stopped = stopped
        self.unchanged: list[Listed] = []
        self.known: list[Sorted] = []
        self.skipped: list[Skipped] = []
        self.twins: dict[ContentKey, list[Listed]] = {}
        self.keys: dict[str, ContentKey] = {}  # of what the engine was given, by path

    def unknown(self, files: Iterable[Listed]) -> Iterator[SourceFile]:
        """Read the files, a group at a time, and yield those whose content nobody has seen."""
        waiting = iter(files)
        while group := list(islice(waiting, GROUP)):
            if self._stopped():
                return
            yield from self._sort([file for file in group if not self._untouched(file)])

    def take_back(self, file: Listed, key: tuple[str, str]) -> None:
        """Have an unchanged file looked at all the same."""
        self.known.append(Sorted(file, ContentKey(*key)))

    def know_twins(self) -> None:
        """Count the files that share the content of an examined one among the known: it is on record now."""
        for key, files in self.twins.items():
            self.known += [Sorted(file, key) for file in files[1:]]
        self.twins.clear()

    def _sort(self, group: list[Listed]) -> Iterator[SourceFile]:
        read = list(self._read(group))
        fresh = {key for _, _, key in read if key not in self.twins}
        with self._db.read() as session:
            found = contents.lookup(session, self._version, fresh, reports=False)
        for file, source, key in read:
            if key in found:
                self._sort_known(file, key, found[key].id)
            elif key in self.twins:
                self.twins[key].append(file)
            else:
                self.twins[key] = [file]
                self.keys[file.path] = key
                yield source

    def _read(self, group: list[Listed]) -> Iterator[tuple[Listed, SourceFile, ContentKey]]:
        for file in group:
            source = self._source.read(file)
            if isinstance(source, Skipped):
                self.skipped.append(source)
            else:
                yield file, source, content_key(source)

    def _sort_known(self, file: Listed, key: ContentKey, content_id: int) -> None:
        record = self._recorded.get(file.path)
        if record is not None and record.content_id == content_id:
            self.unchanged.append(file)
        else:
            self.known.append(Sorted(file, key))

    def _untouched(self, file: Listed) -> bool:
        record = self._recorded.get(file.path)
        if record is None or not any(file.stat):
            return False
        if record.stat != file.stat or record.engine != self._version:
            return False
        if max(file.stat[1], file.stat[2]) / 1e9 > record.seen_at.timestamp() - RACY_SECONDS:
            return False
        self.unchanged.append(file)
        return True
