"""Who listens: a ticket, an access token or an API key, from wherever a browser can put one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.adapters.tokens import InvalidToken
from hefesto_api.domain import api_keys, credentials
from hefesto_api.domain.access import ANONYMOUS
from hefesto_api.storage.tickets import Holder
from hefesto_api.web import authentication, tickets
from hefesto_api.web.errors import InvalidCredentials, InvalidSignature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.domain.access import Principal
    from hefesto_api.runtime import Runtime
    from hefesto_api.web.authentication import Bearer

_LONGEST = 4096 + 64


def nobody(held: Runtime) -> Holder | None:
    """Return who listens without credentials; None where some are asked for."""
    return None if held.settings.auth == "required" else Holder(ANONYMOUS)


def holder_of(held: Runtime, kinds: Mapping[str, Bearer], credential: str) -> tuple[Holder, Principal]:
    """Return whose a credential is, to be asked about again, and who that is now.

    Raises AuthenticationRequired for one that is not good, InvalidSignature for a key that must sign: what
    opens a socket is not signed. Such a key gets a ticket by a signed request.
    """
    if not 0 < len(credential) <= _LONGEST or not credential.isascii():
        raise InvalidCredentials("The credentials are not good (any more).")
    if credential.startswith(credentials.TICKET):
        holder = tickets.redeem(held, kinds, credential)
    elif credential.startswith(api_keys.PREFIX):
        found = authentication.of_key(held.db, credential)
        if found.must_sign:
            raise InvalidSignature("This key must sign; get a ticket by a signed request.", reason="missing")
        holder = Holder(found, key_hash=api_keys.digest(credential))
    else:
        holder = _of_token(held, kinds, credential)
    principal = tickets.standing(held, kinds, holder)
    if principal is None:
        raise InvalidCredentials("The credentials are not good (any more).")
    return holder, principal


def of_proven(held: Runtime, principal: Principal, credential: str) -> Holder:
    """Return who has shown a credential that was found good already, signed where it must be."""
    if credential.startswith(api_keys.PREFIX):
        return Holder(principal, key_hash=api_keys.digest(credential))
    return Holder(principal, claims=held.tokens.verify_access(credential))


def _of_token(held: Runtime, kinds: Mapping[str, Bearer], credential: str) -> Holder:
    try:
        claims = held.tokens.verify_access(credential)
    except InvalidToken as error:
        raise InvalidCredentials("The credentials are not good (any more).") from error
    return Holder(ANONYMOUS, claims=claims)  # its bearer is looked up by the claims
