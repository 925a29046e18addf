"""The second factor: codes of an authenticator app, each good once, and backup codes for when it is lost."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import one_time_codes
from hefesto_api.domain import audit, clock, credentials
from hefesto_api.domain.errors import Conflict
from hefesto_api.storage import second_factors, users
from hefesto_api.web.errors import AuthenticationRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.features.auth.sessions import Desk
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.second_factors import FactorRecord
    from hefesto_api.storage.users import UserRecord

BACKUP_CODES = 10
WRONG = "The code is wrong, or was used before."
WANTED = "This account has a second factor: send the code as `totp`."
_SALT_BYTES = 16


class SecondFactorRequired(AuthenticationRequired):
    """The password was right; a code is wanted beside it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, mfa_required=True)


def state(session: Session, user_id: str) -> dict[str, Any]:
    """Tell whether a user has a second factor in force, and how many backup codes are left."""
    in_force = _in_force(session, user_id) is not None
    left = second_factors.codes_left(session, user_id) if in_force else 0
    return {"mfa_enabled": in_force, "backup_codes_left": left}


def set_up(desk: Desk, user: UserRecord) -> dict[str, str]:
    """Prepare a second factor, which is not in force yet; raises Conflict when one is."""
    seed = one_time_codes.new_seed()
    sealed = desk.vault.encrypt(seed, purpose=second_factors.PURPOSE, row=user.id)
    salt = secrets.token_bytes(_SALT_BYTES)
    with desk.db.write() as session:
        if not second_factors.prepare(session, user.id, sealed, salt, now=clock.now()):
            raise Conflict("A second factor is in force; disable it first.", resource_type="second_factor")
        audit.note("second_factor.prepared", "user", user.id)
    return {"secret": one_time_codes.typed(seed), "otpauth_uri": one_time_codes.uri(seed, user.email)}


def put_in_force(desk: Desk, user: UserRecord, code: str, failed: Callable[[], None]) -> list[str]:
    """Put a prepared factor in force for who shows a code of it, and return the backup codes.

    Raises Conflict when none is prepared, AuthenticationRequired for a wrong code.
    """
    with desk.db.read() as session:
        factor = second_factors.find(session, user.id)
    if factor is None or factor.confirmed_at is not None:
        raise Conflict("No second factor is about to be set up.", resource_type="second_factor")
    step = one_time_codes.step_of(_seed(desk.vault, factor), _tidy(code), clock.now())
    if step is None:
        failed()
        raise AuthenticationRequired(WRONG)
    salt, codes, hashes = _new_codes(desk)
    with desk.db.write() as session:
        if not second_factors.confirm(session, user.id, now=clock.now()):
            raise Conflict("No second factor is about to be set up.", resource_type="second_factor")
        second_factors.take_step(session, user.id, step)
        second_factors.replace_codes(session, user.id, salt, hashes)
        audit.note("second_factor.enabled", "user", user.id)
    return codes


def renew_codes(desk: Desk, user: UserRecord) -> list[str]:
    """Replace a user's backup codes; raises Conflict without a factor in force."""
    salt, codes, hashes = _new_codes(desk)
    with desk.db.write() as session:
        if _in_force(session, user.id) is None:
            raise _not_in_force()
        second_factors.replace_codes(session, user.id, salt, hashes)
        audit.note("second_factor.codes_replaced", "user", user.id)
    return codes


def disable(db: Database, user_id: str) -> None:
    """Remove a user's second factor with its backup codes; raises NotFound, and Conflict without one."""
    with db.write() as session:
        users.get(session, user_id)
        if not second_factors.remove(session, user_id):
            raise _not_in_force()
        audit.note("second_factor.disabled", "user", user_id)


def expect(desk: Desk, user: UserRecord, code: str | None, failed: Callable[[], None]) -> None:
    """Have somebody show a code if he has a second factor; call it within a turn of the passwords.

    A code is taken once. Raises SecondFactorRequired.
    """
    with desk.db.read() as session:
        factor = _in_force(session, user.id)
    if factor is None:
        return
    if not code:
        raise SecondFactorRequired(WANTED)
    if not _taken(desk, factor, _tidy(code)):
        failed()
        raise SecondFactorRequired(WRONG)


def expect_in_force(desk: Desk, user: UserRecord, code: str, failed: Callable[[], None]) -> None:
    """Have somebody show a code of the second factor; raises Conflict for who has none."""
    with desk.db.read() as session:
        if _in_force(session, user.id) is None:
            raise _not_in_force()
    with desk.passwords.turn():
        expect(desk, user, code, failed)


def _in_force(session: Session, user_id: str) -> FactorRecord | None:
    factor = second_factors.find(session, user_id)
    return None if factor is None or factor.confirmed_at is None else factor


def _taken(desk: Desk, factor: FactorRecord, code: str) -> bool:
    """Use up a code of the app, or a backup code; tell whether it was one and was unused."""
    now = clock.now()
    if one_time_codes.is_code(code):
        step = one_time_codes.step_of(_seed(desk.vault, factor), code, now)
        if step is None:
            return False
        with desk.db.write(witnessed=False) as session:
            return second_factors.take_step(session, factor.user_id, step)
    hashed = desk.passwords.code(factor.salt, credentials.normal_backup_code(code))
    with desk.db.write(witnessed=False) as session:
        taken = second_factors.take_code(session, factor.user_id, hashed, now=now)
        if taken:
            audit.note("second_factor.backup_code_used", "user", factor.user_id)
        return taken


def _new_codes(desk: Desk) -> tuple[bytes, list[str], list[str]]:
    salt = secrets.token_bytes(_SALT_BYTES)
    codes = [credentials.new_backup_code() for _ in range(BACKUP_CODES)]
    return salt, codes, desk.passwords.codes(salt, [credentials.normal_backup_code(one) for one in codes])


def _seed(vault: Vault, factor: FactorRecord) -> bytes:
    return vault.decrypt(factor.sealed, purpose=second_factors.PURPOSE, row=factor.user_id)


def _tidy(code: str) -> str:
    """Return a code as it was meant: apps show it in two groups, and people type what they see."""
    return "".join(code.split())


def _not_in_force() -> Conflict:
    return Conflict("No second factor is in force.", resource_type="second_factor")
