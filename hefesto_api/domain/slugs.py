"""The short names of projects."""

from __future__ import annotations

import re

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
RULE = "1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or a digit."


def is_slug(text: str) -> bool:
    """Tell whether a text can name a project."""
    return SLUG.fullmatch(text) is not None
