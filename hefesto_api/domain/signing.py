"""When a key signs and when it still verifies: a successor is published before it signs, a predecessor
verifies until the last token that it signed has expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

PURPOSE = "signing-keys"  # that private keys are sealed for
SIGNS_FOR = timedelta(days=30)
PUBLISHED_BEFORE = timedelta(days=1)  # so that whoever keeps our public keys for a day knows the next one
VERIFIES_AFTER = timedelta(hours=1)  # longer than any access token lives


class SigningKey(Struct, frozen=True):
    """A pair of Ed25519 keys: `public` as raw bytes, `sealed` the private one as the vault wrote it."""

    id: str
    public: bytes
    sealed: str
    created_at: datetime

    def __repr__(self) -> str:
        return f"SigningKey({self.id!r}, created_at={self.created_at!r})"


def signing(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """Return the key that signs at a moment: the newest that was published long enough, else the oldest."""
    known = sorted(keys, key=lambda key: (key.created_at, key.id))
    ready = [key for key in known if key.created_at + PUBLISHED_BEFORE <= now]
    return ready[-1] if ready else next(iter(known), None)


def is_due(keys: Sequence[SigningKey], now: datetime) -> bool:
    """Tell whether it is time to publish the next key."""
    newest = max((key.created_at for key in keys), default=None)
    return newest is None or newest + SIGNS_FOR - PUBLISHED_BEFORE <= now


def verifying(keys: Sequence[SigningKey], now: datetime) -> list[SigningKey]:
    """Return the keys whose tokens are good at a moment, the oldest first."""
    known = sorted(keys, key=lambda key: (key.created_at, key.id))
    successors = [*known[1:], None]
    return [
        key
        for key, successor in zip(known, successors, strict=False)  # none has a successor where there is none
        if successor is None or now < successor.created_at + PUBLISHED_BEFORE + VERIFIES_AFTER
    ]
