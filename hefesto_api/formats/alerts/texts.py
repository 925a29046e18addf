"""Hostile values made small and harmless: bounded text, ids, times, metadata."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson

from hefesto_api.formats.safe import scalar

NAME = 200  # characters kept of a service, an environment, an error type
TITLE = 500
URL = 2_000
LONG = 10_000  # of a message or a description
TRACE = 200_000
CODE = 500  # of a line of code
ID = 255

_NEEDED = ID - 65  # what an id leaves beside its digest
_KEYS = 60  # of an object of metadata, and items of a list
_NODES = 400  # of the whole metadata
_DEPTH = 5
_VALUE = 1_000
_INT64 = 2**63
_EPOCHS = (
    (1e17, 1e-9),
    (1e14, 1e-6),
    (1e11, 1e-3),
    (0, 1.0),
)  # from this size on: nano, micro, milli, seconds
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_HEX = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


def clean(text: str) -> str:
    """Return the text without NUL and lone surrogates, which no store takes."""
    return scalar(text.replace("\0", ""))


def cut(text: str, limit: int) -> str:
    """Return the clean text, at most `limit` characters of it, the last a mark where it was longer."""
    text = clean(text[: limit + 1_000]) if len(text) > limit + 1_000 else clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut_middle(text: str, limit: int) -> str:
    """Return the clean text; of a longer one both ends, since either may hold the crash."""
    text = clean(text)
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}\n...\n{text[-half:]}"


def identifier(*parts: str) -> str:
    """Join parts into one id of at most 255 characters; different parts never give the same id."""
    *first, last = parts
    joined = "|".join([*(part.replace("%", "%25").replace("|", "%7C") for part in first), last])
    harmless = clean(joined)
    if harmless == joined and len(joined) <= ID:
        return joined
    return f"{harmless[:_NEEDED]}:{digest(joined)}"


def digest(value: Any) -> str:
    """Return the SHA-256 (hexadecimal) of a JSON value, however its keys are ordered."""
    content = (
        orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if not isinstance(value, str) else _bytes(value)
    )
    return hashlib.sha256(content).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def moment(value: Any) -> datetime | None:
    """Read an instant: RFC 3339 text (UTC unless it says otherwise), or a Unix time in s, ms, us or ns.

    None for anything else and for years outside 1990 to 2200, which senders use for "never".
    """
    try:
        found = _from_text(value) if isinstance(value, str) else _from_number(value)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is not None and _EARLIEST <= found < _LATEST else None


def _from_text(text: str) -> datetime | None:
    if len(text) > 40 or not text.isascii():
        return None
    if text.replace(".", "", 1).isdigit():
        return _from_number(float(text))
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _from_number(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e20:
        return None
    scale = next(scale for least, scale in _EPOCHS if value >= least)
    return datetime.fromtimestamp(round(value * scale, 6), UTC)


def commit_of(text: str | None) -> str | None:
    """Return the text if it is a commit's hash (7 to 64 hexadecimal digits), in small letters."""
    return text.lower() if text and _HEX.fullmatch(text) else None


def commit_in_release(release: str | None) -> str | None:
    """Return the commit that a release names, as `shop@3f1c9e7`; plain numbers are taken for versions."""
    found = commit_of(release.rsplit("@", 1)[-1]) if release else None
    return None if found and found.isdigit() and len(found) < 40 else found


def bounded(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that is at most 5 deep, of 400 values, its texts cut; nothing empty remains."""
    budget = iter(range(_NODES))
    found = _bounded(value, _DEPTH, budget)
    return found if isinstance(found, dict) else {}


def _bounded(value: Any, depth: int, budget: Iterator[int]) -> Any:
    if next(budget, None) is None:
        return None
    if isinstance(value, str):
        return cut(value, _VALUE)
    if isinstance(value, dict) and depth:
        pairs = (
            (cut(str(key), NAME), _bounded(item, depth - 1, budget)) for key, item in _first(value.items())
        )
        return {key: item for key, item in pairs if item not in (None, "", [], {})}
    if isinstance(value, list) and depth:
        return [_bounded(item, depth - 1, budget) for item in _first(value)]
    return _plain(value)


def _first(values: Iterable[Any]) -> Iterable[Any]:
    return islice(values, _KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return "…"
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return str(value)
    return value
