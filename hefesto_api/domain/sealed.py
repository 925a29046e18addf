"""The form of a secret at rest: `hv1.<key id>.<what was encrypted>`, all of it plain ASCII."""

from __future__ import annotations

import re

VERSION = "hv1"
KEY_ID_BYTES = 8
_FORM = re.compile(r"hv1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)", re.ASCII)


def parts(text: str) -> tuple[str, str] | None:
    """Return a sealed text's key id and what was encrypted; None for what is none."""
    found = _FORM.fullmatch(text)
    return (found[1], found[2]) if found else None


def is_sealed(text: str) -> bool:
    """Tell whether a text has the form: secrets that earlier versions stored have not."""
    return _FORM.fullmatch(text) is not None


def beginning(key_id: str = "") -> str:
    """Return what every text that a key sealed begins with; without one, every sealed text."""
    return f"{VERSION}.{key_id}." if key_id else f"{VERSION}."
