"""A source tree and its findings on record, analysed by the real engine into a database of their own."""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.analyzers.engine import Engine
from hefesto_api.features.analysis import local
from hefesto_api.features.analysis.record import DUPLICATIONS
from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database

from benchmarks import corpora

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_READ = """SELECT id, file_path, line, "column", end_line, rule_id, function_name, line_text, status, analyzer
           FROM findings ORDER BY file_path, line, "column", id"""
_RENAME = """UPDATE findings SET rule_id =
             CASE rule_id WHEN :blocks THEN :formerly ELSE 'FORMER-' || rule_id END"""


class Row(NamedTuple):
    """A finding on record."""

    id: str
    path: str
    line: int
    column: int
    end_line: int
    rule: str
    symbol: str | None
    text: str
    status: str
    analyzer: str


class Place(NamedTuple):
    """Where findings of one rule are told apart: several may stand on a line."""

    path: str
    rule: str
    line: int


class World:
    """A tree that changes, with one engine for all analyses; the reports of known contents are kept."""

    def __init__(self, folder: Path, processes: int) -> None:
        self.tree = folder / "tree"
        self._folder = folder
        self._database = folder / "hefesto.db"
        self._engine = Engine(processes=processes)
        db = open_database(f"sqlite:///{self._database}")
        migrate.upgrade(db)
        db.close()
        self.save("empty")

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def become(self, files: Mapping[str, str]) -> None:
        """Make the tree hold these texts and nothing else."""
        shutil.rmtree(self.tree, ignore_errors=True)
        for path, text in files.items():
            target = self.tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")

    def scan(self) -> list[Row]:
        """Analyse the tree; return what is on record then. Raises RuntimeError when the analysis failed."""
        db = open_database(f"sqlite:///{self._database}")
        try:
            (selection,) = local.select([str(self.tree)])
            wanted: dict[str, Any] = {"severity_threshold": "LOW"}
            record = local.analyse(db, self._engine, selection, wanted)
        finally:
            db.close()
        if record.status != "completed":
            raise RuntimeError(f"the analysis {record.status}: {record.error}")
        return self.rows()

    def rows(self) -> list[Row]:
        """Return the findings on record, by place."""
        with closing(sqlite3.connect(self._database)) as connection:
            return [Row(*row) for row in connection.execute(_READ)]

    def rename_rules(self) -> None:
        """Let the findings on record be of rules that are called otherwise now."""
        with closing(sqlite3.connect(self._database)) as connection:
            connection.execute(_RENAME, {"blocks": DUPLICATIONS[0], "formerly": DUPLICATIONS[-1]})
            connection.commit()

    def save(self, name: str) -> None:
        """Remember what is on record now."""
        target = self._folder / f"{name}.db"
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._database)) as source, closing(sqlite3.connect(target)) as copied:
            source.backup(copied)

    def restore(self, name: str) -> None:
        """Take the record back to what was saved under a name."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self._database}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._folder / f"{name}.db", self._database)


def texts(folder: Path) -> dict[str, str]:
    """Return the Python files beneath a folder that are UTF-8, by relative path."""
    found: dict[str, str] = {}
    for path in corpora.python_files(folder):
        try:
            found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
    return {path: text.replace("\r\n", "\n").replace("\r", "\n") for path, text in found.items()}


def standing(rows: Iterable[Row]) -> list[Row]:
    """Return those that are not resolved."""
    return [row for row in rows if row.status != "resolved"]


def by_place(rows: Iterable[Row]) -> dict[Place, list[Row]]:
    """Group by place, in the order of columns."""
    places: dict[Place, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.column):
        places[Place(row.path, row.rule, row.line)].append(row)
    return places


def by_file(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group by file."""
    files: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        files[row.path].append(row)
    return files
