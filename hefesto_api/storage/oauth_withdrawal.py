"""Taking back at once all that a user lets OAuth clients do."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hefesto_api.storage.base import Session
from hefesto_api.storage.oauth_grants import oauth_codes, oauth_grants

_g, _k = oauth_grants.c, oauth_codes.c


def revoke_given(session: Session, user_id: str, now: datetime) -> int:
    """Take back all that a user lets clients do, untraded codes too; return how much that was."""
    codes = sa.update(oauth_codes).where(_k.user_id == user_id, _k.used_at.is_(None), _k.expires_at > now)
    held = sa.update(oauth_grants).where(_g.user_id == user_id, _g.revoked_at.is_(None), _g.expires_at > now)
    both = (
        codes.values(used_at=now),
        held.values(revoked_at=now),
    )  # a code that is being traded is a grant then
    return sum(session.execute(each).rowcount for each in both)
