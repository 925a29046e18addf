"""Tickets for sockets: a browser's handshake can show no header, and what stands in an address is logged.

Whoever has credentials asks for a ticket and shows it in the handshake: it is good once, and not for long.
What holds the socket open asks every second whether its holder still stands.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hefesto_api.domain import api_keys, clock, credentials
from hefesto_api.storage import tickets
from hefesto_api.storage.tickets import Holder
from hefesto_api.web import authentication
from hefesto_api.web.errors import InvalidCredentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.domain.access import Principal
    from hefesto_api.runtime import Runtime
    from hefesto_api.web.authentication import Bearer

SECONDS = 30


def issue(held: Runtime, principal: Principal, shown: str) -> str:
    """Return a ticket for who has shown this credential ("": none was needed)."""
    ticket = credentials.new(credentials.TICKET)
    until = clock.now() + timedelta(seconds=SECONDS)
    holder = _holder(held, principal, shown)
    with held.db.write(durable=False, witnessed=False) as session:
        tickets.issue(session, credentials.hashed(ticket), holder, until=until)
    return ticket


def redeem(held: Runtime, kinds: Mapping[str, Bearer], ticket: str) -> Holder:
    """Take a ticket and return whose it is; raises InvalidCredentials for one that was used or is too old."""
    with held.db.write(durable=False, witnessed=False) as session:
        holder = tickets.redeem(session, credentials.hashed(ticket), now=clock.now())
    if holder is None or standing(held, kinds, holder) is None:
        raise InvalidCredentials("This ticket is not good (any more).")
    return holder


def standing(held: Runtime, kinds: Mapping[str, Bearer], holder: Holder) -> Principal | None:
    """Return who a ticket's holder is now, with what he may now; None when his credential was revoked."""
    try:
        if holder.key_hash:
            return authentication.of_key_hash(held.db, holder.key_hash)
    except InvalidCredentials:
        return None
    if holder.claims is None:
        return holder.principal
    bearer = kinds.get(holder.claims.kind)
    return bearer(held, holder.claims) if bearer else None


def _holder(held: Runtime, principal: Principal, shown: str) -> Holder:
    if api_keys.is_key(shown):
        return Holder(principal, key_hash=api_keys.digest(shown))
    return Holder(principal, claims=held.tokens.verify_access(shown) if shown else None)
