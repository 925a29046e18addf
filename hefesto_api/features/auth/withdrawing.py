"""Taking back what programs were given in a user's name, when something changes about the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain import audit, clock
from hefesto_api.storage import oauth_withdrawal

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session


def withdraw(session: Session, user_id: str, reason: str) -> None:
    """Let nothing count any more that a user allowed OAuth clients: grants, their tokens, and codes."""
    taken = oauth_withdrawal.revoke_given(session, user_id, clock.now())
    if taken:
        audit.note("oauth_grant.revoked", "user", user_id, {"grants": taken, "reason": reason})
