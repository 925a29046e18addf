"""The routes by which people sign in with an OpenID provider: a browser goes there and comes back."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import flask
import msgspec
from flask import Response, request

from hefesto_api.adapters import logs
from hefesto_api.adapters.openid import ProviderUnavailable, SignInRefused, Started
from hefesto_api.domain import clock, decoding
from hefesto_api.domain.errors import HefestoError, NotFound, ServiceUnavailable
from hefesto_api.features.auth import handover, links, oidc, sessions
from hefesto_api.features.auth import session_schemas as schemas
from hefesto_api.features.auth.callers import confirmed, desk, logged_in, place
from hefesto_api.features.auth.oauth import page_session
from hefesto_api.features.auth.oidc_schemas import IdentitiesSchema, ProviderLinkSchema
from hefesto_api.web import address
from hefesto_api.web.arguments import any_query
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.errors import AuthenticationRequired
from hefesto_api.web.limits import per_address
from hefesto_api.web.scopes import authenticated, public

if TYPE_CHECKING:
    from uuid import UUID

    from hefesto_api.adapters.openid import OpenId
    from hefesto_api.features.auth.oidc import Flow
    from hefesto_api.storage.users import UserRecord

_PLACE = "/api/v1/auth/oidc"
_COOKIE = "hefesto_oidc"
_PURPOSE = "oidc-flow"
_NO_STORE = {"Cache-Control": "no-store"}
_FLOW = decoding.of_json(oidc.Flow)
_LONGEST = 4000  # characters of what comes back
_NOT_BEGUN = "This sign-in was not begun in this browser, or too long ago: begin again."

blp = Blueprint("openid", url_prefix=_PLACE, description="Signing in with an OpenID provider.")
# What only browsers are sent to: a provider may add parameters of its own to the way back.
browsers = flask.Blueprint("openid_browsers", __name__, url_prefix=_PLACE)


@browsers.get("/login")
@any_query
@per_address(100)
def log_in() -> Response:
    """Send the browser to the provider."""
    provider, flow = _provider(), oidc.begin(next_=_next())
    return _departed(_address(provider, flow), flow)


@browsers.get("/callback")
@any_query
@per_address(100)
def come_back() -> Response:
    """Take the browser back from the provider: a session starts, or the page that sent it there goes on."""
    provider, flow = _provider(), _flow()
    try:
        user = _vouched_for(provider, flow)
    except HefestoError as error:
        if not handover.is_place(flow.next):
            raise
        answer = handover.refused(flow.next, error.message)
    else:
        answer = _onwards(flow, user) if flow.next else _tokens(user)
    answer.delete_cookie(_cookie_name(), path=_cookie_path(), secure=address.is_secure(), httponly=True)
    return answer


@blp.route("/session", methods=["POST"])
@public
@per_address(100)
@blp.response(200, schemas.IssuedSchema)
@blp.alt_response(401, "AuthenticationRequired")
def take_over() -> Any:
    """Give the dashboard the session that a sign-in with the provider began in this browser, once."""
    issued = sessions.renew(desk(), handover.taken(), place())
    answer = success(to_json(issued), headers=_NO_STORE)
    handover.end(answer)
    return answer


@blp.route("/link", methods=["POST"])
@authenticated
@blp.arguments(schemas.ConfirmationSchema)
@blp.response(200, ProviderLinkSchema)
@blp.alt_response(409, "Conflict")
def link(wanted: dict[str, Any]) -> Any:
    """Begin to link the provider to yourself; send the browser that made this call to the address."""
    caller = confirmed(wanted.get("password"))
    provider, flow = _provider(), oidc.begin(user_id=caller.user.id)
    answer = success(to_json({"authorization_url": _address(provider, flow)}), headers=_NO_STORE)
    _keep(answer, flow)
    return answer


@blp.route("/identities", methods=["GET"])
@authenticated
@blp.response(200, IdentitiesSchema)
def list_identities() -> Any:
    """List the accounts at providers that stand for oneself, the oldest first."""
    found = links.listed(runtime().db, logged_in().user.id)
    return success(to_json({"identities": found}))


@blp.route("/identities/<uuid:identity_id>", methods=["DELETE"])
@authenticated
@blp.response(204)
@blp.alt_response(409, "Conflict")
def unlink(identity_id: UUID) -> Any:
    """End that a provider's account stands for oneself; not where no other way in would be left."""
    links.unlink(runtime().db, logged_in().user.id, str(identity_id), runtime().settings.oidc_issuer)
    return Answer(status=204)


def _provider() -> OpenId:
    found = runtime().openid
    if found is None:
        raise NotFound("openid_provider", "configured by HEFESTO_OIDC_ISSUER")
    return found


def _next() -> str:
    """Return where the browser goes on afterwards: an application's question, the dashboard, or nowhere."""
    wanted = request.args.get("next", "")
    is_ours = wanted.startswith(f"{page_session.PATH}?") or handover.is_place(wanted)
    return wanted if is_ours and len(wanted) <= _LONGEST else ""


def _vouched_for(provider: OpenId, flow: Flow) -> UserRecord:
    somebody = oidc.vouched(runtime().settings, _claims(provider, flow))
    return oidc.user_of(runtime().db, runtime().settings, somebody, flow.user_id)


def _address(provider: OpenId, flow: Flow) -> str:
    try:
        return provider.authorization_url(_started(flow), _back())
    except ProviderUnavailable as error:
        raise _unavailable(error) from error


def _claims(provider: OpenId, flow: Flow) -> dict[str, Any]:
    """Return what the provider says of who comes back; raises AuthenticationRequired, ServiceUnavailable."""
    shown = {name: request.args.get(name, "")[:_LONGEST] for name in ("code", "state", "iss", "error")}
    if not compare_digest(shown["state"].encode("utf-8", "replace"), flow.state.encode()):
        raise AuthenticationRequired(_NOT_BEGUN)
    if shown["error"] or not shown["code"]:
        said = shown["error"] if shown["error"].isidentifier() else "no code"
        raise AuthenticationRequired(f"The provider did not let you in ({said[:50]}).")
    try:
        return provider.redeem(shown["code"], _started(flow), _back(), issuer=shown["iss"] or None)
    except SignInRefused as error:
        logs.of("oidc").warning("sign_in_refused", reason=str(error))
        raise AuthenticationRequired("What the provider says cannot be believed: begin again.") from error
    except ProviderUnavailable as error:
        raise _unavailable(error) from error


def _tokens(user: UserRecord) -> Response:
    return success(to_json(_session(user)), headers=_NO_STORE)


def _onwards(flow: Flow, user: UserRecord) -> Response:
    """Go on in the dashboard, or with an application's question, as somebody who has signed in."""
    if handover.is_place(flow.next):
        return handover.ready(flow.next, _session(user).refresh_token)
    session_id = runtime().tokens.verify_access(_session(user).access_token).sid
    answer = Response(status=303, headers={"Location": f"{address.root()}{flow.next}", **_NO_STORE})
    page_session.keep(answer, page_session.opened(session_id, place()))
    return answer


def _session(user: UserRecord) -> sessions.Issued:
    with runtime().db.write() as session:
        started, refresh_token = sessions.begin(session, user, place(), clock.now())
    return sessions.issued(desk(), user, started.id, refresh_token)


def _departed(location: str, flow: Flow) -> Response:
    answer = Response(status=302, headers={"Location": location, **_NO_STORE})
    _keep(answer, flow)
    return answer


def _keep(answer: Response, flow: Flow) -> None:
    """Have the browser carry what must be known when it comes back; nobody can read or make it."""
    answer.set_cookie(
        _cookie_name(),
        runtime().vault.encrypt(msgspec.json.encode(flow), purpose=_PURPOSE),
        max_age=oidc.FLOW_LASTS,
        path=_cookie_path(),
        secure=address.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _flow() -> Flow:
    """Return the sign-in that this browser has begun; raises AuthenticationRequired."""
    try:
        raw = runtime().vault.decrypt(request.cookies.get(_cookie_name(), ""), purpose=_PURPOSE)
    except HefestoError:
        raise AuthenticationRequired(_NOT_BEGUN) from None
    flow = _FLOW.decode(raw)
    if flow.until <= clock.now().timestamp():
        raise AuthenticationRequired(_NOT_BEGUN)
    return flow


def _started(flow: Flow) -> Started:
    return Started(flow.state, flow.nonce, flow.verifier)


def _back() -> str:
    return f"{address.root()}{_PLACE}/callback"


def _cookie_name() -> str:
    return f"__Secure-{_COOKIE}" if address.is_secure() else _COOKIE


def _cookie_path() -> str:
    return urlsplit(address.root()).path + _PLACE


def _unavailable(error: ProviderUnavailable) -> ServiceUnavailable:
    logs.of("oidc").warning("provider_unavailable", reason=str(error))
    return ServiceUnavailable(
        "The OpenID provider cannot be asked now.", service="openid", reason="unavailable"
    )
