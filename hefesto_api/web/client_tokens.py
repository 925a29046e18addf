"""Whose the access token of an OAuth client is: what its grant allows now, never more than the token says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain import clock
from hefesto_api.domain.access import TIERS, Principal
from hefesto_api.storage import oauth_grants

if TYPE_CHECKING:
    from hefesto_api.domain.claims import Claims
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.oauth_grants import Standing


def of_client(held: Runtime, claims: Claims) -> Principal | None:
    """Look up whose a token is, by one indexed read; None when its grant does not stand (any more)."""
    with held.db.read() as session:
        standing = oauth_grants.standing(session, claims.sid)
    if standing is None or not standing.holds(clock.now()):
        return None
    subject = standing.grant.user_id or standing.client.id
    told = (claims.sub, claims.client_id, claims.epoch)
    return (
        _principal(standing, claims) if told == (subject, standing.client.id, standing.grant.epoch) else None
    )


def _principal(standing: Standing, claims: Claims) -> Principal:
    """Return who calls: the client, or through it the user, who keeps his name."""
    client, user = standing.client, standing.user
    person = standing.owner if user is None else user
    tiers = [client.tier] if person is None else [client.tier, person.tier]
    return Principal(
        id=claims.sub,
        name=client.name if user is None else user.email,
        scopes=oauth_grants.within(claims.scopes, standing.scopes),
        projects=standing.projects,
        kind="client",
        tier=min(tiers, key=TIERS.index),
        credential=client.id,
    )
