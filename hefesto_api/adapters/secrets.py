"""Secrets at rest: a vault that encrypts with the operator's keys, newest first, and derives keys from them.

A sealed text is `hv1.<key id>.<nonce and AES-256-GCM ciphertext, base64url>`. What it is for, and the row it
belongs to, are authenticated with it: a text that is moved to another column or row cannot be read there.
"""

from __future__ import annotations

import base64
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hefesto_api.adapters import key_file
from hefesto_api.domain import sealed
from hefesto_api.domain.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.settings import Settings

KEY_BYTES = 32
_NONCE_BYTES = 12
_SALT = b"hefesto vault 1"


class SecretUnreadable(ServiceUnavailable):
    """A secret at rest was encrypted with a key that is not at hand, or is damaged."""

    def __init__(self, message: str) -> None:
        super().__init__(message, service="secrets", reason="unreadable")


class Vault:
    """Encrypts with the first of several keys, and decrypts with whichever a text names.

    Threads may share it. A key may encrypt 2^32 texts (NIST SP 800-38D, random nonces of 96 bits).
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("a vault needs a key")
        self._secrets = {_key_id(secret): secret for secret in secrets}
        self._derive = lru_cache(maxsize=256)(self._derived)

    def __repr__(self) -> str:
        return f"Vault({', '.join(self.key_ids)})"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The fingerprints of its keys, newest first; they tell nothing of the keys."""
        return tuple(self._secrets)

    def encrypt(self, plain: bytes, *, purpose: str, row: str = "") -> str:
        """Return a text that only this purpose and row can read again."""
        key_id = self.key_ids[0]
        nonce = os.urandom(_NONCE_BYTES)
        encrypted = self._cipher(key_id, purpose).encrypt(nonce, plain, _about(key_id, purpose, row))
        return sealed.beginning(key_id) + base64.urlsafe_b64encode(nonce + encrypted).rstrip(b"=").decode()

    def decrypt(self, text: str, *, purpose: str, row: str = "") -> bytes:
        """Return what was encrypted; raises SecretUnreadable."""
        found = sealed.parts(text)
        if found is None:
            raise SecretUnreadable("A stored secret is not in the form of one.")
        key_id, encrypted = found
        if key_id not in self._secrets:
            raise SecretUnreadable(
                f"A stored secret was encrypted with the key {key_id}, which is not at hand."
            )
        try:
            data = base64.urlsafe_b64decode(encrypted + "=" * (-len(encrypted) % 4))
            about = _about(key_id, purpose, row)
            return self._cipher(key_id, purpose).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(
                "A stored secret is damaged, or stands where it does not belong."
            ) from error

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes for a purpose, from the first key: they change when that does."""
        return self._derive(self.key_ids[0], f"key {purpose}")

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """Return 32 bytes for a purpose from every key, the newest first."""
        return tuple(self._derive(key_id, f"key {purpose}") for key_id in self.key_ids)

    def _cipher(self, key_id: str, purpose: str) -> AESGCM:
        return AESGCM(self._derive(key_id, f"encrypt {purpose}"))

    def _derived(self, key_id: str, info: str) -> bytes:
        return _hkdf(self._secrets[key_id], info, KEY_BYTES)


def can_open_vault(settings: Settings) -> bool:
    """Tell whether there is a key, or a place where one may be made."""
    return bool(settings.secret_key) or key_file.path_beside(settings.database_url) is not None


def open_vault(settings: Settings) -> Vault:
    """Return the vault of an installation: of HEFESTO_SECRET_KEY, else of the file beside its database.

    The file is made when there is none. Where a key is set later, what the file's encrypted can still be
    read. Raises UsageError where there can be no such file.
    """
    url = settings.database_url
    if settings.secret_key:
        return Vault((*settings.secret_key, *key_file.former(url)))
    return Vault((key_file.secret_beside(url),))


def _about(key_id: str, purpose: str, row: str) -> bytes:
    """Return what is authenticated beside a secret; no part can run into the next."""
    return "\0".join((sealed.VERSION, key_id, purpose, row)).encode("utf-8", "surrogatepass")


def _key_id(secret: str) -> str:
    return _hkdf(secret, "key id", sealed.KEY_ID_BYTES).hex()


def _hkdf(secret: str, info: str, length: int) -> bytes:
    """Derive a key (RFC 5869)."""
    derivation = HKDF(algorithm=SHA256(), length=length, salt=_SALT, info=info.encode())
    return derivation.derive(secret.encode("utf-8", "surrogatepass"))
