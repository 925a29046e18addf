"""SARIF 2.1.0 (OASIS standard), out and in."""

from hefesto_api.formats.sarif.reader import (
    Document,
    ImportedRun,
    Located,
    Refused,
    RunReader,
    open_report,
    read,
)
from hefesto_api.formats.sarif.results import Imported
from hefesto_api.formats.sarif.writer import write

__all__ = [
    "Document",
    "Imported",
    "ImportedRun",
    "Located",
    "Refused",
    "RunReader",
    "open_report",
    "read",
    "write",
]
