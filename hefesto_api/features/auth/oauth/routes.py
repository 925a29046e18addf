"""The endpoints of OAuth 2.0 that programs call: they answer in the forms of its RFCs, in no envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from flask import Blueprint, Response, current_app, request

from hefesto_api.domain.access import SCOPES
from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.auth.oauth import giving, grants, server
from hefesto_api.features.auth.oauth.clients import GRANT_TYPES
from hefesto_api.features.auth.oauth.giving import Giving
from hefesto_api.web import address, authentication, body
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import STATUS, answer_http_error
from hefesto_api.web.errors import AuthenticationRequired, UnsupportedMediaType
from hefesto_api.web.limits import per_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.exceptions import HTTPException

blp = Blueprint("oauth", __name__)
_BENEATH = "/oauth/"
_KEY = "hefesto.oauth"
_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 64 * 1024
_MOST_FIELDS = 100
_NO_STORE = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
_KEPT_SECONDS = 300  # successors of keys are published a day before they sign
_PUBLISHED = [("Cache-Control", f"private, max-age={_KEPT_SECONDS}")]


@blp.post("/oauth/token")
@per_address(100)
def token() -> Response:
    """Give tokens (RFC 6749, sections 4.1.3, 4.4, 6)."""
    return _answered(lambda ours, asked: ours.create_token_response(_with_grant_type(asked)))


@blp.post("/oauth/revoke")
@per_address(100)
def revoke() -> Response:
    """Take back what a client was given (RFC 7009)."""
    return _answered(lambda ours, asked: ours.create_endpoint_response("revocation", asked))


@blp.post("/oauth/introspect")
@per_address(1000)
def introspect() -> Response:
    """Tell a client of a token (RFC 7662)."""
    return _answered(lambda ours, asked: ours.create_endpoint_response("introspection", asked))


@blp.get("/.well-known/oauth-authorization-server")
@per_address(1000)
def metadata() -> Response:
    """Tell programs what there is (RFC 8414)."""
    root = address.root()
    confidential = list(server.AUTH_METHODS[:2])
    told = {
        "issuer": root,
        "authorization_endpoint": f"{root}/oauth/authorize",
        "token_endpoint": f"{root}/oauth/token",
        "jwks_uri": f"{root}/.well-known/jwks.json",
        "revocation_endpoint": f"{root}/oauth/revoke",
        "introspection_endpoint": f"{root}/oauth/introspect",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(server.AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(server.AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": confidential,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "service_documentation": f"{root}/docs",
    }
    return _json(200, told, _PUBLISHED)


@blp.get("/.well-known/jwks.json")
@per_address(1000)
def jwks() -> Response:
    """Publish the keys that our access tokens are signed with (RFC 7517)."""
    return _json(200, runtime().tokens.public_jwks(), _PUBLISHED)


@blp.errorhandler(HefestoError)
def told_by_rfc(error: HefestoError) -> Response:
    """Answer what goes wrong on our side of the protocol in its form."""
    status = getattr(error, "status", None) or STATUS[error.code]
    name = "temporarily_unavailable" if status == 429 or status >= 500 else "invalid_request"
    text = error.message.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
    headers = dict(getattr(error, "headers", {}))
    headers.pop("WWW-Authenticate", None)  # which is about other credentials than a client's
    return _json(status, {"error": name, "error_description": text}, [*_NO_STORE, *headers.items()])


@blp.app_errorhandler(404)
@blp.app_errorhandler(405)
def missed(error: HTTPException) -> Response:
    """Tell programs in their protocol's form that nothing is here, or that the method is another."""
    if not request.path.startswith(_BENEATH) or error.response is not None:
        return answer_http_error(error)
    text = "There is no such endpoint." if error.code == 404 else "This endpoint takes another method."
    allowed = [(name, value) for name, value in error.get_headers() if name == "Allow"]
    told = {"error": "invalid_request", "error_description": text}
    return _json(error.code or 404, told, [*_NO_STORE, *allowed])


def held() -> server.Server:
    """Return the server of this application, made when it is first asked."""
    kept = current_app.extensions
    if _KEY not in kept:
        parts = runtime()
        ours = Giving(parts.db, parts.tokens, lambda: parts.vault.keys(giving.PURPOSE))
        kept[_KEY] = grants.make_server(ours, _is_good)
    found: server.Server = kept[_KEY]
    return found


def form() -> list[tuple[str, str]]:
    """Return what a form holds; raises HefestoError, and InvalidRequestError for too much."""
    if not request.mimetype and not request.content_length:
        return []
    if request.mimetype != _FORM:
        raise UnsupportedMediaType(f"This route takes {_FORM}.")
    text = body.read(request.environ, _MOST_BYTES).decode("utf-8", "replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidRequestError("There are too many parameters.") from None


def _answered(deed: Callable[[server.Server, server.Asked], Any]) -> Response:
    try:
        status, told, headers = deed(held(), server.read("POST", form(), dict(request.headers)))
    except OAuth2Error as error:
        status, told, headers = server.error_answer(error)
    return _json(status, told, headers)


def _with_grant_type(asked: server.Asked) -> server.Asked:
    if not asked.payload.grant_type:
        raise InvalidRequestError("There is no grant_type.")
    return asked


def _is_good(text: str) -> bool:
    """Tell whether an access token counts, whoever's it is."""
    try:
        authentication.authenticator().authenticate(text)
    except AuthenticationRequired:
        return False
    return True


def _json(status: int, told: Any, headers: list[tuple[str, str]]) -> Response:
    answer = Response(orjson.dumps(told), status, mimetype="application/json")
    for name, value in headers:
        answer.headers[name] = value
    answer.headers["Content-Type"] = "application/json"
    return answer
