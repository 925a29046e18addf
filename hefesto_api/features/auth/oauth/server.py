"""The OAuth 2.0 server: Authlib's grants and endpoints over our clients, grants and tokens.

What Authlib reads and then writes is done here by single statements within one transaction, so that of many
who show the same code or refresh token at once, one is served; whoever shows it again takes all down that it
gave.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.util import extract_basic_authorization

from hefesto_api.domain import credentials, rights
from hefesto_api.domain.access import ALL_SCOPES
from hefesto_api.features.auth.oauth.clients import AUTHORIZATION_CODE
from hefesto_api.storage import oauth_clients, users

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.features.auth.oauth.giving import Giving
    from hefesto_api.storage.oauth_clients import ClientRecord
    from hefesto_api.storage.users import UserRecord

AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
_SECURE = "https://localhost/"
"""What Authlib is told of our address: whether the transport is safe was decided before."""
_LONGEST = 2000  # characters of any parameter that is looked up
_UNPRINTABLE = "Parameters are text without control characters."


class Client(ClientMixin):  # type: ignore[misc] # Authlib is untyped
    """A client as Authlib asks about it."""

    def __init__(self, record: ClientRecord, owner: UserRecord | None = None) -> None:
        self.record = record
        self.owner = owner

    @property
    def client_id(self) -> str:
        """Its name in the protocol."""
        return self.record.id

    @property
    def governs(self) -> bool:
        """Whether it may see all there is: it holds `admin` everywhere, and so does whom it belongs to."""
        persons = [] if self.owner is None else [(self.owner.scopes, self.owner.projects)]
        held = [(self.record.scopes, self.record.projects), *persons]
        return all("admin" in scopes and projects is None for scopes, projects in held)

    def get_client_id(self) -> str:
        """Return its name in the protocol."""
        return self.record.id

    def get_default_redirect_uri(self) -> None:
        """Return none: a request says where it wants its answer."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return the wanted scopes, all of its own when none are named; None when one is not its own."""
        wanted = dict.fromkeys((scope or "").split()) or self.record.scopes
        held = rights.all_of(None, self.record.scopes)
        return " ".join(wanted) if held.issuperset(wanted) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether an address is one of its own, to the letter."""
        return redirect_uri in self.record.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """Tell whether a secret is its own."""
        stored = self.record.secret_hash
        return stored is not None and compare_digest(stored, credentials.hashed(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tell whether it may show who it is in a way: with its secret, if it has one."""
        return (method == "none") is self.record.is_public

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether people may be asked for it."""
        return response_type == "code" and AUTHORIZATION_CODE in self.record.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether it may get tokens in a way."""
        return grant_type in self.record.grant_types


class Payload(OAuth2Payload):  # type: ignore[misc]
    """The parameters of a request: what is given without a value is not given (RFC 6749, section 3.1)."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.lists: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                self.lists.setdefault(name, []).append(value)

    @property
    def data(self) -> dict[str, str]:
        """The first value of each."""
        return {name: values[0] for name, values in self.lists.items()}

    @property
    def datalist(self) -> dict[str, list[str]]:
        """All values of each."""
        return self.lists


class Asked(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib reads it, already held to being clean text."""

    def __init__(
        self, method: str, pairs: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(method, _SECURE, headers=headers)
        self.payload = Payload(pairs)

    @property
    def form(self) -> dict[str, str]:
        """What was sent."""
        return self.payload.data

    @property
    def args(self) -> dict[str, str]:
        """What was sent: here a request comes in one part."""
        return self.payload.data


class Server(AuthorizationServer):  # type: ignore[misc]
    """Answers as values (status, body, headers): whoever serves HTTP makes responses of them."""

    def __init__(self, giving: Giving) -> None:
        super().__init__(scopes_supported=sorted(ALL_SCOPES))
        self.giving = giving
        for method, authenticate in _METHODS.items():
            self.register_client_auth_method(method, authenticate)

    def query_client(self, client_id: str) -> Client | None:
        """Return a client that is switched on, and whose owner is."""
        if len(client_id) > _LONGEST:
            return None
        with self.giving.db.read() as session:
            found = oauth_clients.find(session, client_id)
            if found is None or not found.is_active:
                return None
            owner = None if found.user_id is None else users.find(session, found.user_id)
        return Client(found, owner) if owner is None or owner.is_active else None

    def save_token(self, token: dict[str, Any], request: Asked) -> None:
        """Do nothing: what is given is kept as it is made, in one transaction."""

    def create_oauth2_request(self, request: Asked) -> Asked:
        """Return the request as it is."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, list[tuple[str, str]]]:
        """Return the answer as a value."""
        return status, body, list(headers)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Tell nobody."""

    def validate_requested_scope(self, scope: str | None) -> None:
        """Refuse scopes that there are not."""
        if scope and not ALL_SCOPES.issuperset(scope.split()):
            raise InvalidScopeError


def read(method: str, pairs: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Asked:
    """Return a request; raises InvalidRequestError for parameters that are repeated or no clean text."""
    asked = Asked(method, pairs, headers)
    for name, values in asked.payload.lists.items():
        if len(values) > 1:
            raise InvalidRequestError("A parameter is given more than once.")
        if not all(text.isprintable() and "\ufffd" not in text for text in (name, *values)):
            raise InvalidRequestError(_UNPRINTABLE)
    return asked


def error_answer(error: OAuth2Error) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
    """Return the answer to an error that is told to whoever called."""
    return error.status_code, dict(error.get_body()), list(error.get_headers())


def _by_basic(query_client: Any, request: Asked) -> Client | None:
    """Tell who shows a secret in the header; raises InvalidRequestError for a second way besides."""
    try:
        client_id, secret = extract_basic_authorization(request.headers)
    except ValueError:  # what is no base64, or no UTF-8
        return None
    if not client_id or not secret:
        return None
    named = request.form.get("client_id", client_id)
    if named != client_id or "client_secret" in request.form:
        raise InvalidRequestError("A client shows who it is in one way at a time.")
    return _with_secret(query_client(client_id), secret)


def _by_post(query_client: Any, request: Asked) -> Client | None:
    """Tell who shows a secret in the form."""
    client_id, secret = request.form.get("client_id"), request.form.get("client_secret")
    return _with_secret(query_client(client_id), secret) if client_id and secret else None


def _by_name(query_client: Any, request: Asked) -> Client | None:
    """Tell who says that it has no secret."""
    client_id = request.form.get("client_id")
    if not client_id or "client_secret" in request.form or request.headers.get("Authorization"):
        return None
    found: Client | None = query_client(client_id)
    return found


def _with_secret(client: Client | None, secret: str) -> Client | None:
    return client if client is not None and client.check_client_secret(secret) else None


_METHODS = {"client_secret_basic": _by_basic, "client_secret_post": _by_post, "none": _by_name}
