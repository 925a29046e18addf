"""What an application asks people for (RFC 6749, section 4.1.1), and what it is answered.

Nothing is ever sent to an address that is not, to the letter, one of the application's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidRequestError

from hefesto_api.domain import rights
from hefesto_api.domain.access import SCOPES
from hefesto_api.features.auth.oauth import server
from hefesto_api.storage import oauth_grants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant

    from hefesto_api.features.auth.oauth.server import Asked, Client, Server
    from hefesto_api.storage.users import UserRecord


class NobodyToAnswer(Exception):
    """The request does not say, or not truly, whose it is: only whoever sees the page can be told."""


class Answered(Exception):
    """The application is answered: `location` is where the browser goes."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Question(NamedTuple):
    """What an application asks for, found to be in order."""

    asked: Asked
    grant: AuthorizationCodeGrant
    client: Client
    redirect_uri: str
    issuer: str

    @property
    def place(self) -> str:
        """Whereto the answer goes, as people read it."""
        return urlsplit(self.redirect_uri).netloc

    def scopes(self, user: UserRecord) -> list[dict[str, str]]:
        """Return what a user would allow, each with what it means: never more than he may."""
        allowed = oauth_grants.within(self.asked.scope.split(), user.scopes)
        return [{"name": name, "text": text} for name, text in SCOPES.items() if name in allowed]

    def projects(self, user: UserRecord) -> list[str] | None:
        """Return where he would allow it; None is everywhere."""
        bounds = [
            None if bound is None else frozenset(bound)
            for bound in (self.client.record.projects, user.projects)
        ]
        found = rights.shared(*bounds)
        return None if found is None else sorted(found)


def question(ours: Server, pairs: Sequence[tuple[str, str]], issuer: str) -> Question:
    """Examine a request; raises NobodyToAnswer, or Answered when the application is told of an error."""
    client, redirect_uri = _whose(ours, pairs)
    state = _only(pairs, "state")
    try:
        asked = server.read("GET", pairs)
        _check_response_type(asked)
        grant = ours.get_consent_grant(asked)
    except OAuth2Error as error:
        told = dict(error.get_body()) | ({"state": state} if state else {})
        raise Answered(located(redirect_uri, told, issuer)) from None
    return Question(asked, grant, client, redirect_uri, issuer)


def decide(ours: Server, asked: Question, user: UserRecord, *, allowed: bool) -> str:
    """Return where the browser goes with the user's decision."""
    state = asked.asked.payload.state
    if not asked.scopes(user):
        told = {"error": "access_denied", "error_description": "The user holds none of these scopes."}
        return located(asked.redirect_uri, told | ({"state": state} if state else {}), asked.issuer)
    person = user if allowed else None
    _, _, headers = ours.create_authorization_response(asked.asked, grant_user=person, grant=asked.grant)
    location: str = dict(headers)["Location"]
    return _with(location, {"iss": asked.issuer})


def located(redirect_uri: str, told: dict[str, Any], issuer: str) -> str:
    """Return an answer as an address: with who gives it (RFC 9207)."""
    return _with(redirect_uri, {**told, "iss": issuer})


def _whose(ours: Server, pairs: Sequence[tuple[str, str]]) -> tuple[Client, str]:
    client_id, redirect_uri = _only(pairs, "client_id"), _only(pairs, "redirect_uri")
    if client_id is None:
        raise NobodyToAnswer("The address names no application (client_id), or several.")
    client = ours.query_client(client_id)
    if client is None:
        raise NobodyToAnswer("The application is unknown here, or switched off.")
    if redirect_uri is None:
        raise NobodyToAnswer("The address does not say once where to go back to (redirect_uri).")
    if not client.check_redirect_uri(redirect_uri):
        raise NobodyToAnswer(
            "The address to go back to (redirect_uri) is not one that the application registered."
        )
    return client, redirect_uri


def _check_response_type(asked: Asked) -> None:
    wanted = asked.payload.response_type
    if wanted is None:
        raise InvalidRequestError("There is no response_type.")
    if wanted != "code":  # Authlib would repeat it in its words, whatever is in it
        raise OAuth2Error(error="unsupported_response_type", description="response_type must be code.")


def _only(pairs: Sequence[tuple[str, str]], name: str) -> str | None:
    values = [value for given, value in pairs if given == name and value]
    return values[0] if len(values) == 1 else None


def _with(uri: str, parameters: dict[str, Any]) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"
