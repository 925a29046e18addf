"""Making values fit to be told of: no secret, no content of files, nothing endless."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from hefesto_api.domain import clock
from hefesto_api.domain.veil import veiled

MASK = "***"
MOST_TEXT = 500  # characters of one text
MOST_ITEMS = 50  # of one list or object
MOST_DEPTH = 6
# Names of what nobody may read again, and of what is as long as a file.
_SECRET = re.compile(
    r"authorization|passw|passphrase|secret|token|api_?key|private_?key|cookie|signature|credentials?$|"
    r"totp|otpauth|\botp\b|\bcode\b|verifier|backup_codes|recovery_codes|assertion|\bseed\b",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"^(code|content|contents|source_code|snippet|code_snippet|body|raw|payload|files?|archive|data|"
    r"stack_?trace|trace|traceback|diff|patch|sarif|runs|report)$",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Tell whether a value of this name must not be shown."""
    return _SECRET.search(name) is not None


def redacted(value: Any, *, most_text: int = MOST_TEXT, contents: bool = False) -> Any:
    """Return a value as plain JSON, with secrets masked and everything cut to size.

    What was left out is told: `"abc… (9000 characters)"`. Texts that are the content of a file, by their
    name, are only counted, unless `contents` are wanted.
    """
    return _told(value, most_text, contents, MOST_DEPTH)


def _told(value: Any, most: int, contents: bool, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return veiled(value) if len(value) <= most else f"{veiled(value[:most])}… ({len(value)} characters)"
    if isinstance(value, datetime):
        return clock.rfc3339(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return _object(value, most, contents, depth)
    if isinstance(value, Set):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        items = [_told(item, most, contents, depth - 1) for item in value[:MOST_ITEMS]]
        return items if len(value) <= MOST_ITEMS else [*items, f"… ({len(value)} in all)"]
    return _told(str(value), most, contents, depth)


def _object(value: Mapping[Any, Any], most: int, contents: bool, depth: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, item in list(value.items())[:MOST_ITEMS]:
        name = str(name)[:100]
        if is_secret(name):
            told[name] = _masked(item, depth - 1)
        elif not contents and _CONTENT.match(name) and not _is_short(item):
            told[name] = _counted(item)
        else:
            told[name] = _told(item, most, contents, depth - 1)
    if len(value) > MOST_ITEMS:
        told["…"] = f"({len(value)} in all)"
    return told


def _masked(value: Any, depth: int) -> Any:
    """Keep of a secret whether it is there, and of flags what they say."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping) and depth and value.keys() <= {"from", "to"}:
        return {name: _masked(item, depth - 1) for name, item in value.items()}
    return MASK


def _is_short(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _counted(value: Any) -> str:
    if isinstance(value, str):
        return f"({len(value)} characters)"
    if isinstance(value, bytes | list | tuple | Mapping):
        return f"({len(value)} {'bytes' if isinstance(value, bytes) else 'items'})"
    return "(left out)"
