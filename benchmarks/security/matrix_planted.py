"""The fault that the access matrix must find: whoever asks sees every project (a plugin for pytest)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.storage import projects

if TYPE_CHECKING:
    from collections.abc import Collection

    from hefesto_api.storage.base import Session


def is_seen(session: Session, project_id: str | None, allowed: Collection[str] | None) -> bool:
    """Take every project for one that the caller may see."""
    return True


projects.is_seen = is_seen
