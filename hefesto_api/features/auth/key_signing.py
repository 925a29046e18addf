"""The secrets that keys sign their requests with: made with the key's own, shown once, kept sealed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from hefesto_api.storage import signing_secrets

if TYPE_CHECKING:
    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.storage.base import Session

PREFIX = "hefsig_"


def add(session: Session, vault: Vault, key_hash: str) -> str:
    """Make the signing secret that goes with a key's secret of this hash, and return it."""
    secret = PREFIX + secrets.token_urlsafe(32)
    sealed = vault.encrypt(secret.encode(), purpose=signing_secrets.PURPOSE, row=key_hash)
    signing_secrets.keep(session, key_hash, sealed)
    return secret
