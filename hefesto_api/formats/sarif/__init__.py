"""SARIF 2.1.0 (OASIS standard), out and in."""

from hefesto_api.formats.sarif.reader import Document, Imported, ImportedRun, Refused, read
from hefesto_api.formats.sarif.writer import write

__all__ = ["Document", "Imported", "ImportedRun", "Refused", "read", "write"]
