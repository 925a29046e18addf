"""The routes of one's second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.auth import login, mfa
from hefesto_api.features.auth import session_schemas as schemas
from hefesto_api.features.auth.callers import LoggedIn, confirmed, desk, logged_in, place
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.scopes import authenticated, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("mfa", url_prefix="/api/v1/auth", description="The second factor of a login.")
UNKEPT = {"Cache-Control": "no-store"}  # an answer with a secret


@blp.route("/mfa/setup", methods=["POST"])
@authenticated
@blp.arguments(schemas.ConfirmationSchema, required=False)
@blp.response(200, schemas.FactorSchema)
@blp.alt_response(409, "Conflict")
def set_up_mfa(wanted: dict[str, Any]) -> Any:
    """Get the secret for an authenticator app. Nothing is in force until a code of it is verified.

    Later than 15 minutes after the login, the password is wanted too.
    """
    caller = confirmed(wanted.get("password"))
    return success(to_json(mfa.set_up(desk(), caller.user)), headers=UNKEPT)


@blp.route("/mfa/verify", methods=["POST"])
@authenticated
@blp.arguments(schemas.CodeSchema)
@blp.response(200, schemas.BackupCodesSchema)
@blp.alt_response(409, "Conflict")
def verify_mfa(wanted: dict[str, Any]) -> Any:
    """Put the second factor in force by its first code, and get ten backup codes, shown this once."""
    caller = logged_in()
    codes = mfa.put_in_force(desk(), caller.user, wanted["totp"], _counted(caller))
    return success(to_json({"enabled": True, "backup_codes": codes}), headers=UNKEPT)


@blp.route("/mfa/backup-codes", methods=["POST"])
@authenticated
@blp.arguments(schemas.CodeSchema)
@blp.response(200, schemas.BackupCodesSchema)
@blp.alt_response(409, "Conflict")
def renew_backup_codes(wanted: dict[str, Any]) -> Any:
    """Get ten new backup codes; the former ones count no more."""
    caller = _proven(wanted)
    codes = mfa.renew_codes(desk(), caller.user)
    return success(to_json({"enabled": True, "backup_codes": codes}), headers=UNKEPT)


@blp.route("/mfa/disable", methods=["POST"])
@authenticated
@blp.arguments(schemas.CodeSchema)
@blp.response(204)
@blp.alt_response(409, "Conflict")
def disable_mfa(wanted: dict[str, Any]) -> Any:
    """Remove the second factor, for who shows a code of it (or a backup code)."""
    caller = _proven(wanted)
    mfa.disable(runtime().db, caller.user.id)
    return Answer(status=204)


@blp.route("/users/<uuid:user_id>/mfa", methods=["DELETE"])
@require("admin")
@blp.response(204)
@blp.alt_response(409, "Conflict")
def take_mfa_away(user_id: UUID) -> Any:
    """Remove the second factor of a user who lost it, with the backup codes."""
    mfa.disable(runtime().db, str(user_id))
    return Answer(status=204)


def _proven(wanted: dict[str, Any]) -> LoggedIn:
    """Return the user who calls, if he has just logged in or shows the password, and shows a code."""
    caller = confirmed(wanted.get("password"))
    mfa.expect_in_force(desk(), caller.user, wanted["totp"], _counted(caller))
    return caller


def _counted(caller: LoggedIn) -> login.Failed:
    """Return what counts a failure of the user who calls; raises TooManyFailures when there were too many."""
    attempt = login.attempt_of(desk(), caller.user, place())
    return lambda: login.failed(desk(), attempt)
