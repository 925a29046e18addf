"""Addresses of mail: what can be one, and the one spelling under which it is known."""

from __future__ import annotations

import re

MOST = 254  # characters (RFC 5321, section 4.5.3.1)
_EMAIL = re.compile(
    r"[^\s@<>\"(),:;\[\]\\\x00-\x1f\x7f]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?", re.ASCII
)


def is_email(text: str) -> bool:
    """Tell whether a text can be an address; whether mail arrives there is another matter."""
    return len(text) <= MOST and text.isprintable() and _EMAIL.fullmatch(text) is not None


def normal(text: str) -> str:
    """Return the one spelling under which an address is kept and looked up."""
    return text.strip().lower()
