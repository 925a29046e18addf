"""The routes of logging in, of one's sessions and of one's password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.auth import accounts, login, me, oidc, sessions
from hefesto_api.features.auth import session_schemas as schemas
from hefesto_api.features.auth.callers import credential, desk, logged_in, place
from hefesto_api.features.auth.user_schemas import UserSchema
from hefesto_api.web import tickets
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.errors import AuthenticationRequired
from hefesto_api.web.limits import per_address
from hefesto_api.web.scopes import authenticated, principal, public

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("sessions", url_prefix="/api/v1/auth", description="Logging in and out.")
UNKEPT = {"Cache-Control": "no-store"}  # an answer with a secret


@blp.route("/methods", methods=["GET"])
@public
@per_address(1000)
@blp.response(200, schemas.MethodsSchema)
def list_methods() -> Any:
    """Tell how one gets in here, for pages that offer it."""
    settings = runtime().settings
    name = oidc.provider_name(settings)
    provider = {"name": name, "login_url": f"{blp.url_prefix}/oidc/login"} if settings.oidc_issuer else None
    return success(to_json({"required": settings.auth == "required", "oidc": provider}))


@blp.route("/register", methods=["POST"])
@public
@per_address(5)
@blp.arguments(schemas.RegistrationSchema)
@blp.response(201, UserSchema)
@blp.alt_response(409, "Conflict")
def register(wanted: dict[str, Any]) -> Any:
    """Make an account for oneself, where that is open; in which projects it sees what, an admin says."""
    accounts.expect_open(runtime().settings)
    return success(to_json(accounts.register(desk(), wanted)), 201, {"Location": f"{blp.url_prefix}/me"})


@blp.route("/login", methods=["POST"])
@public
@per_address(100)
@blp.arguments(schemas.LoginSchema)
@blp.response(200, schemas.IssuedSchema)
@blp.alt_response(401, "AuthenticationRequired")
def log_in(wanted: dict[str, Any]) -> Any:
    """Start a session. With a second factor in force `totp` is wanted too: `details.mfa_required` says so.

    After ten failures in a row for one account from one place nothing is heard from there for 15 minutes.
    """
    return _issued(login.login(desk(), wanted, place()))


@blp.route("/refresh", methods=["POST"])
@public
@per_address(100)
@blp.arguments(schemas.RefreshSchema)
@blp.response(200, schemas.IssuedSchema)
@blp.alt_response(401, "AuthenticationRequired")
def refresh(wanted: dict[str, Any]) -> Any:
    """Get the next tokens of a session. A refresh token is good once.

    For ten seconds it gets the same successor again, since the answer may have been lost; later it ends the
    session.
    """
    return _issued(sessions.renew(desk(), wanted["refresh_token"], place()))


@blp.route("/logout", methods=["POST"])
@blp.arguments(schemas.LogoutSchema, required=False)
@blp.response(204)
@blp.alt_response(401, "AuthenticationRequired")
def log_out(wanted: dict[str, Any]) -> Any:
    """End a session: that of the access token, or that of the refresh token in the body."""
    if "refresh_token" in wanted:
        sessions.end_by_token(runtime().db, wanted["refresh_token"])
    elif principal().kind == "user":
        caller = logged_in()
        sessions.end(runtime().db, caller.session.id, caller.user.id)
    else:
        raise AuthenticationRequired("Show the access token of the session, or send its refresh token.")
    return Answer(status=204)


@blp.route("/me", methods=["GET"])
@authenticated
@blp.response(200, schemas.MeSchema)
def read_me() -> Any:
    """Tell who calls, and what he may."""
    if principal().kind == "anonymous":
        raise AuthenticationRequired("Nobody calls: there are no credentials.")
    return success(to_json(me.told(runtime().db, principal())))


@blp.route("/password", methods=["POST"])
@authenticated
@blp.arguments(schemas.PasswordSchema)
@blp.response(204)
@blp.alt_response(409, "Conflict")
def change_password(wanted: dict[str, Any]) -> Any:
    """Change one's own password; all other sessions end."""
    caller = logged_in()
    login.confirm(desk(), caller.user, wanted["current_password"], place())
    accounts.change_password(desk(), caller.user, caller.session.id, wanted["new_password"])
    return Answer(status=204)


@blp.route("/sessions", methods=["GET"])
@authenticated
@blp.response(200, schemas.SessionsSchema)
def list_sessions() -> Any:
    """List one's own sessions, the latest used first."""
    caller = logged_in()
    with runtime().db.read() as session:
        return success(to_json({"sessions": sessions.listed(session, caller.user.id, caller.session.id)}))


@blp.route("/sessions", methods=["DELETE"])
@authenticated
@blp.response(200, schemas.EndedSchema)
def end_other_sessions() -> Any:
    """End all of one's sessions but the present one."""
    caller = logged_in()
    ended = sessions.revoke_others(runtime().db, caller.user.id, caller.session.id)
    return success(to_json({"ended": ended}))


@blp.route("/sessions/<uuid:session_id>", methods=["DELETE"])
@authenticated
@blp.response(204)
def end_session(session_id: UUID) -> Any:
    """End one of one's sessions; its tokens are refused within a second."""
    sessions.revoke(runtime().db, logged_in().user.id, str(session_id))
    return Answer(status=204)


@blp.route("/ws-ticket", methods=["POST"])
@authenticated
@blp.response(200, schemas.TicketSchema)
def issue_ticket() -> Any:
    """Get a ticket for a socket's handshake, good once within 30 seconds."""
    ticket = tickets.issue(runtime(), principal(), credential())
    return success(to_json({"ticket": ticket, "expires_in": tickets.SECONDS}), headers=UNKEPT)


def _issued(tokens: sessions.Issued) -> Answer:
    return success(to_json(tokens), headers=UNKEPT)
