"""What is told of a finding: where it is and what is said of it, to see whether a sighting says the same."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from hefesto_api.storage.base import dump_json

COLUMNS = (
    "line", "column", "severity", "description", "end_line", "end_column", "severity_rank", "confidence",
    "recommendation", "code_snippet", "line_text", "function_name", "class_name", "cwe", "metadata",
    "suppression", "prints", "branch", "file_path",
)  # fmt: skip

Told = tuple[Any, ...]
"""The values of COLUMNS."""

_of_row = itemgetter(*COLUMNS)
_METADATA = COLUMNS.index("metadata")


def is_same(row: dict[str, Any], known: Told | None) -> bool:
    """Tell whether a row says what is on record; metadata to the letter, for 1 equals True."""
    if known is None or known != _of_row(row):
        return False
    metadata = row["metadata"]
    return not metadata or dump_json(metadata) == dump_json(known[_METADATA])
