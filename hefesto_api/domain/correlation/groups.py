"""A group of exceptions says only that something failed: what failed are its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

if TYPE_CHECKING:
    from hefesto_api.domain.correlation.model import Crash

MEMBER: Final = "member"


def unwrapped(crash: Crash) -> Crash:
    """Return the first member of a group that is in the project, the others and the group as its causes."""
    members = [one for one in reversed(crash.causes) if one.relation == MEMBER]
    known = [one for one in members if any(frame.project_path for frame in one.frames)]
    if not known:
        return crash
    first = known[0]
    others = [one for one in (*members, *reversed(crash.causes)) if one is not first]
    rest = list({id(one): one for one in others}.values())
    return replace(first, relation=None, causes=(*rest, replace(crash, causes=(), relation=MEMBER)))
