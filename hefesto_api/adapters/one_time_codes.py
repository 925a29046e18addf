"""One-time codes from an authenticator app (TOTP, RFC 6238): six digits, a new code every 30 seconds."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

if TYPE_CHECKING:
    from datetime import datetime

DIGITS = 6
STEP_SECONDS = 30
DRIFT = 1  # steps that the clocks may be apart
ISSUER = "Hefesto"
_SEED_BYTES = 20  # as RFC 4226 advises, and what every app takes


def new_seed() -> bytes:
    """Return what the codes of one user are made from."""
    return secrets.token_bytes(_SEED_BYTES)


def typed(seed: bytes) -> str:
    """Return a seed as people type it into an app."""
    return b32encode(seed).decode()


def uri(seed: bytes, account: str) -> str:
    """Return a seed as apps read it from a QR code."""
    return _codes(seed).get_provisioning_uri(account, ISSUER)


def code_at(seed: bytes, step: int) -> str:
    """Return the code of a step of time."""
    return _codes(seed).generate(step * STEP_SECONDS).decode()


def step_of(seed: bytes, code: str, now: datetime) -> int | None:
    """Return the step whose code this is, among those near a moment; None when it is none of them."""
    present = int(now.timestamp()) // STEP_SECONDS
    shown = code.encode()
    steps = range(present - DRIFT, present + DRIFT + 1)
    matching = [step for step in steps if hmac.compare_digest(code_at(seed, step).encode(), shown)]
    return matching[-1] if matching else None


def is_code(text: str) -> bool:
    """Tell whether a text has the form of such a code."""
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def _codes(seed: bytes) -> TOTP:
    return TOTP(seed, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - HMAC-SHA-1, the one that every app knows
