"""Looking for secrets where none may be: in the forms in which they would lie about."""

from __future__ import annotations

import base64
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

LEAST = 16  # characters of a secret that is looked for: shorter ones lie about by chance


class Found(NamedTuple):
    """A secret that was found: what it is, where, and what stands around it."""

    what: str
    where: str
    around: str


class Canaries:
    """Secrets by what they are; `made` gives one that was never used before."""

    def __init__(self) -> None:
        self.by_text: dict[str, str] = {}

    def made(self, what: str) -> str:
        """Return a new secret."""
        return self.add(what, f"canary{os.urandom(8).hex()}{what.replace(' ', '')[:12]}")

    def add(self, what: str, text: str) -> str:
        """Take in what the service itself has made, and shown to nobody but us."""
        if len(text) >= LEAST:
            self.by_text[text] = what
        return text

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Yield every secret in every form: as it is, in hexadecimal, and in base64 wherever it begins."""
        for text, what in self.by_text.items():
            raw = text.encode()
            yield what, raw
            yield f"{what} (hexadecimal)", raw.hex().encode()
            for shift in range(3):
                coded = base64.b64encode(b"\0" * shift + raw)
                yield f"{what} (base64)", coded[4:-4]


def search(canaries: Canaries, places: Mapping[str, bytes]) -> list[Found]:
    """Return each secret once for each place where it stands."""
    found = []
    for what, form in canaries.forms():
        for where, content in places.items():
            at = content.find(form)
            if at >= 0:
                around = content[max(at - 60, 0) : at + len(form) + 20]
                found.append(Found(what, where, repr(around)))
    return found


def sqlite_files(path: Path) -> dict[str, bytes]:
    """Return the bytes of a database and its log, free pages and all, and its dump as text."""
    files = [path, path.with_name(f"{path.name}-wal")]
    places = {f"file {each.name}": each.read_bytes() for each in files if each.is_file()}
    with closing(sqlite3.connect(path)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = db.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - a name of the schema
            places[f"table {name}"] = "\n".join(map(_text_of, rows)).encode("utf-8", "replace")
    return places


def postgresql_tables(url: str) -> dict[str, bytes]:
    """Return the rows of each table as text."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    places = {}
    with engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()  # noqa: S608
            places[f"table {name}"] = "\n".join(map(_text_of, rows)).encode("utf-8", "replace")
    engine.dispose()
    return places


def _text_of(values: Iterable[Any]) -> str:
    return " | ".join(
        bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
        for value in values
    )
