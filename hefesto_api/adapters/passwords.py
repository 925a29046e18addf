"""Hashing what people know: Argon2id (RFC 9106), so many at once as memory and processors bear."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import argon2
from argon2.low_level import Type, hash_secret_raw

from hefesto_api.domain import passwords
from hefesto_api.domain.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0  # seconds that somebody waits for a turn
_SALT_BYTES = 16
_HASH_BYTES = 32


class Overloaded(ServiceUnavailable):
    """More people log in than can be served."""

    headers = {"Retry-After": "5"}  # noqa: RUF012 - read alone


class Passwords:
    """A hasher whose work takes turns: so many at once, each with so much memory."""

    def __init__(self, *, memory_kib: int = 65536, passes: int = 2, turns: int = 1) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._hasher = argon2.PasswordHasher(
            time_cost=passes,
            memory_cost=memory_kib,
            parallelism=1,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
            type=Type.ID,
        )
        self._turns = threading.BoundedSemaphore(turns)
        self._nobodys = self._hasher.hash(os.urandom(16).hex())

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to hash; raises Overloaded when there is none for long."""
        if not self._turns.acquire(timeout=PATIENCE):
            raise Overloaded("Too many people log in at once; try again in a moment.", service="passwords")
        try:
            yield
        finally:
            self._turns.release()

    def hash(self, password: str) -> str:
        """Hash a password, in a turn of its own."""
        with self.turn():
            return self._hasher.hash(passwords.normal(password).encode("utf-8", "surrogatepass"))

    def matches(self, stored: str | None, password: str) -> bool:
        """Tell whether a password is the stored one; call it within a `turn`.

        Without a stored one it takes as long and says no.
        """
        if passwords.is_too_long(password):
            password = ""
        typed = passwords.normal(password).encode("utf-8", "surrogatepass")
        try:
            self._hasher.verify(stored or self._nobodys, typed)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a stored hash was made at another cost than is asked for now."""
        return self._hasher.check_needs_rehash(stored)

    def codes(self, salt: bytes, codes: list[str]) -> list[str]:
        """Hash some backup codes under one salt, in one turn."""
        with self.turn():
            return [self.code(salt, code) for code in codes]

    def code(self, salt: bytes, code: str) -> str:
        """Hash one backup code; call it within a `turn`."""
        raw = hash_secret_raw(code.encode(), salt, self._passes, self._memory_kib, 1, _HASH_BYTES, Type.ID)
        return raw.hex()
