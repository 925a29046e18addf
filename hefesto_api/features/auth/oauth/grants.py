"""The ways to a token and what can be done with one, each Authlib's with our storage behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from hefesto_api.adapters.tokens import InvalidToken
from hefesto_api.features.auth.oauth import giving
from hefesto_api.features.auth.oauth.server import AUTH_METHODS, Client, Server
from hefesto_api.storage import oauth_grants, users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.features.auth.oauth.giving import Giving
    from hefesto_api.storage.oauth_grants import CodeRecord, Standing
    from hefesto_api.storage.users import UserRecord

_S256 = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_CONFIDENTIAL = AUTH_METHODS[:2]


class Code:
    """A code as Authlib asks about it."""

    code_challenge_method = "S256"

    def __init__(self, record: CodeRecord) -> None:
        self.record = record
        self.code_challenge = record.challenge

    def get_redirect_uri(self) -> str:
        """Return where it was sent."""
        return self.record.redirect_uri

    def get_scope(self) -> str:
        """Return what it is for."""
        return " ".join(self.record.scopes)


class S256(CodeChallenge):  # type: ignore[misc] # Authlib is untyped
    """PKCE by S256 for every client: nothing else, and never nothing."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: grants.AuthorizationCodeGrant, redirect_uri: str) -> None:
        """Refuse a request without a challenge that can be one of S256."""
        data = grant.request.payload.data
        if data.get("code_challenge_method", "plain") not in self.SUPPORTED_CODE_CHALLENGE_METHOD:
            raise InvalidRequestError("PKCE is needed: code_challenge_method must be S256.")
        if not _S256.fullmatch(data.get("code_challenge", "")):
            raise InvalidRequestError("PKCE is needed: code_challenge is not one of S256.")


class ByCode(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """A code for which somebody consented."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    server: Server

    def generate_authorization_code(self) -> str:
        """Return a code for what the user allows, which is kept with it: never more than he may."""
        user: UserRecord = self.request.user
        return giving.a_code(
            self.server.giving,
            self.request.client.record,
            user,
            redirect_uri=self.request.payload.redirect_uri,
            scopes=oauth_grants.within(self.request.scope.split(), user.scopes),
            challenge=self.request.payload.data["code_challenge"],
        )

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Do nothing: it was kept as it was made."""

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        """Return a code that is good for a client."""
        found = giving.code_of(self.server.giving, code, client.client_id)
        return None if found is None else Code(found)

    def authenticate_user(self, authorization_code: Code) -> UserRecord | None:
        """Return who consented, if nothing was withdrawn meanwhile."""
        with self.server.giving.db.read() as session:
            user = users.find(session, authorization_code.record.user_id)
        held = user is not None and user.is_active and user.token_epoch == authorization_code.record.epoch
        return user if held else None

    def generate_token(self, user: Any = None, scope: Any = None, **_: Any) -> dict[str, Any]:
        """Give what the code is for."""
        code: Code = self.request.authorization_code
        renewable = self.request.client.check_grant_type("refresh_token")
        try:
            return giving.for_code(self.server.giving, code.record, renewable=renewable)
        except giving.Refused:
            raise InvalidGrantError("The code is not good any more.") from None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Do nothing: it was used up as the token was made."""


class ForItself(grants.ClientCredentialsGrant):  # type: ignore[misc]
    """What a client may do on its own."""

    TOKEN_ENDPOINT_AUTH_METHODS = _CONFIDENTIAL
    server: Server

    def generate_token(self, user: Any = None, scope: str | None = None, **_: Any) -> dict[str, Any]:
        """Give the client its token."""
        allowed = self.request.client.get_allowed_scope(scope)
        if allowed is None:
            raise InvalidScopeError
        try:
            return giving.to_itself(self.server.giving, self.request.client.record, allowed.split())
        except giving.Refused:
            raise InvalidGrantError("Nobody answers for this client any more.") from None


class Renewable:
    """A refresh token as Authlib asks about it: the grant that it renews."""

    def __init__(self, text: str, standing: Standing) -> None:
        self.text = text
        self.standing = standing

    def check_client(self, client: Client) -> bool:
        """Tell whether it is a client's."""
        return self.standing.client.id == client.client_id

    def get_scope(self) -> str:
        """Return what was consented to."""
        return " ".join(self.standing.grant.scopes)


class ByRefresh(grants.RefreshTokenGrant):  # type: ignore[misc]
    """What somebody consented to goes on."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    server: Server

    def authenticate_refresh_token(self, refresh_token: str) -> Renewable | None:
        """Return the grant of a refresh token that is this client's."""
        found = giving.refresh_of(self.server.giving, refresh_token, self.request.client.client_id)
        return None if found is None else Renewable(refresh_token, found)

    def authenticate_user(self, refresh_token: Renewable) -> UserRecord | None:
        """Return who consented."""
        return refresh_token.standing.user

    def issue_token(self, user: UserRecord, refresh_token: Renewable) -> dict[str, Any]:
        """Give a successor and an access token, for as much as is asked for again."""
        wanted = (self.request.payload.scope or "").split() or refresh_token.standing.grant.scopes
        try:
            return giving.renewed(self.server.giving, refresh_token.text, wanted)
        except giving.Refused:
            raise InvalidGrantError("The refresh token is not good any more.") from None

    def revoke_old_credential(self, refresh_token: Renewable) -> None:
        """Do nothing: it was used up as its successor was made."""


class Found:
    """A token that somebody asks about: its grant (None: of no client), and what is told of it."""

    def __init__(self, told: Mapping[str, Any], standing: Standing | None) -> None:
        self.told = told
        self.standing = standing

    def check_client(self, client: Client) -> bool:
        """Tell whether it is a client's."""
        return self.standing is not None and self.standing.client.id == client.client_id

    def is_expired(self) -> bool:
        """Return no: what has expired is not found."""
        return False

    def is_revoked(self) -> bool:
        """Return no: what was taken back is not found."""
        return False


class Finding:
    """Looks tokens up; `is_good` tells whether an access token counts, whoever's it is."""

    def __init__(self, held: Giving, is_good: Callable[[str], bool]) -> None:
        self.held = held
        self.is_good = is_good

    def find(self, text: str) -> Found | None:
        """Return what there is to tell of a token that counts."""
        return self._refresh(text) if text.startswith(giving.REFRESH) else self._access(text)

    def _access(self, text: str) -> Found | None:
        try:
            claims = self.held.tokens.verify_access(text)
        except InvalidToken:
            return None
        if not self.is_good(text):
            return None
        with self.held.db.read() as session:
            standing = oauth_grants.standing(session, claims.sid) if claims.client_id else None
            user = users.find(session, claims.sub)
        scopes = claims.scopes if standing is None else oauth_grants.within(claims.scopes, standing.scopes)
        told = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
            "client_id": claims.client_id or None,
            "username": None if user is None else user.email,
            "sub": claims.sub,
            "aud": claims.aud,
            "iss": claims.iss,
            "jti": claims.jti,
            "iat": claims.iat,
            "nbf": claims.nbf,
            "exp": claims.exp,
        }
        return Found({name: value for name, value in told.items() if value is not None}, standing)

    def _refresh(self, text: str) -> Found | None:
        found = giving.unused(self.held, text)
        if found is None:
            return None
        standing, until = found
        told = {
            "token_type": "refresh_token",
            "scope": " ".join(standing.grant.scopes),
            "client_id": standing.client.id,
            "username": None if standing.user is None else standing.user.email,
            "sub": standing.grant.user_id,
            "exp": int(until.timestamp()),
        }
        return Found(told, standing)


class Revoking(RevocationEndpoint):  # type: ignore[misc]
    """RFC 7009: a client gives back what it was given, and with one token all of the same grant."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding

    def check_params(self, request: Any, client: Client) -> None:
        """Demand a token; a hint is not needed, so a strange one does no harm."""
        _expect_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Found | None:
        """Return a token that counts."""
        return self.finding.find(token_string)

    def revoke_token(self, token: Found, request: Any) -> None:
        """Take back the grant."""
        if token.standing is not None:
            giving.taken_back(self.finding.held, token.standing.grant.id)


class Telling(IntrospectionEndpoint):  # type: ignore[misc]
    """RFC 7662: a client asks about its own tokens; one that holds `admin` about all."""

    CLIENT_AUTH_METHODS = _CONFIDENTIAL

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding

    def check_params(self, request: Any, client: Client) -> None:
        """Demand a token."""
        _expect_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Found | None:
        """Return a token that counts."""
        return self.finding.find(token_string)

    def check_permission(self, token: Found, client: Client, request: Any) -> bool:
        """Tell whether a client may know of a token."""
        return token.check_client(client) or client.governs

    def introspect_token(self, token: Found) -> dict[str, Any]:
        """Tell of a token."""
        return {"active": True, **token.told}


def make_server(held: Giving, is_good: Callable[[str], bool]) -> Server:
    """Return the server with all that it does."""
    server = Server(held)
    finding = Finding(held, is_good)
    server.register_grant(ByCode, [S256(required=True)])
    server.register_grant(ForItself)
    server.register_grant(ByRefresh)
    server.register_endpoint(Revoking(finding))
    server.register_endpoint(Telling(finding))
    return server


def _expect_token(request: Any) -> None:
    if not request.form.get("token"):
        raise InvalidRequestError("There is no token.")
