"""The fault that the access matrix must find: whoever asks sees every project (a plugin for pytest)."""

from __future__ import annotations

from hefesto_api.storage import projects


def is_seen(*_: object) -> bool:
    """Take every project for one that the caller may see."""
    return True


projects.is_seen = is_seen
