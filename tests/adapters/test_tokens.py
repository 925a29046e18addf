"""Access tokens: ours are recognised while their keys last, and nothing else is one."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hefesto_api.adapters.secrets import Vault
from hefesto_api.adapters.tokens import InvalidToken, Tokens
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.domain.signing import PUBLISHED_BEFORE, SIGNS_FOR, VERIFIES_AFTER
from hefesto_api.storage import signing_keys
from hefesto_api.storage.signing_keys import Shelf
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures
from tests.logins import Hands

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.database import Database

VAULT = Vault(["the key of these tests, which is long enough"])


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """A clock that stands still."""
    return Hands(monkeypatch)


@pytest.fixture
def tokens(db: Database) -> Tokens:  # noqa: F811 - that fixture
    """The tokens of a process."""
    return Tokens(VAULT, Shelf(db))


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def signer(db: Database) -> Ed25519PrivateKey:  # noqa: F811
    """Return the key that the tokens are signed with."""
    with db.read() as session:
        (key,) = signing_keys.every(session)
    return Ed25519PrivateKey.from_private_bytes(VAULT.decrypt(key.sealed, purpose="signing-keys", row=key.id))


def test_what_is_minted_is_recognised(tokens: Tokens, hands: Hands) -> None:
    text = tokens.mint_access("ada", scopes=["read:alerts", "admin"], session="s", epoch=3)
    claims = tokens.verify_access(text)
    assert (claims.sub, claims.sid, claims.epoch, claims.kind) == ("ada", "s", 3, "user")
    assert claims.scopes == {"read:alerts", "admin"}
    assert claims.exp - claims.iat == 1800


def test_others_can_verify_our_tokens_by_the_published_keys(tokens: Tokens) -> None:
    text = tokens.mint_access("ada")
    keys = jwt.PyJWKSet.from_dict(tokens.public_jwks())
    key = keys[jwt.get_unverified_header(text)["kid"]]
    said = jwt.decode(text, key, algorithms=["EdDSA"], audience="urn:hefesto:api", issuer="urn:hefesto")
    assert said["sub"] == "ada"


def test_a_token_is_good_for_its_time(tokens: Tokens, hands: Hands) -> None:
    text = tokens.mint_access("ada", seconds=60)
    hands.move(seconds=59)
    tokens.verify_access(text)
    hands.move(seconds=1)
    with pytest.raises(InvalidToken, match="expired"):
        tokens.verify_access(text)
    hands.move(seconds=-66)
    with pytest.raises(InvalidToken, match="not good yet"):
        tokens.verify_access(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("exp"),
        lambda said: said.pop("iat"),
        lambda said: said.pop("nbf"),
        lambda said: said.pop("iss"),
        lambda said: said.pop("aud"),
        lambda said: said.pop("sub"),
        lambda said: said.pop("jti"),
        lambda said: said.pop("type"),
        lambda said: said.pop("kind"),
        lambda said: said.update(type="refresh"),
        lambda said: said.update(aud="urn:another"),
        lambda said: said.update(aud=["urn:hefesto:api", "urn:another"]),
        lambda said: said.update(iss="urn:another"),
        lambda said: said.update(exp=1),
        lambda said: said.update(exp=str(said["exp"])),
        lambda said: said.update(exp=1e300),
        lambda said: said.update(exp=None),
        lambda said: said.update(nbf=said["exp"] - 1),
        lambda said: said.update(iat=said["exp"] - 1),
        lambda said: said.update(sub=7),
        lambda said: said.update(sub=None),
        lambda said: said.update(epoch="0"),
        lambda said: said.update(scope=["admin"]),
    ],
)
def test_even_signed_by_us_a_token_must_say_all_of_it(
    db: Database,  # noqa: F811
    tokens: Tokens,
    change: Callable[[dict[str, Any]], Any],
) -> None:
    header, payload, _ = tokens.mint_access("ada").split(".")
    said = decoded(payload)
    key = signer(db)
    signed = f"{header}.{encoded(said)}"
    assert tokens.verify_access(f"{signed}.{encoded(key.sign(signed.encode()))}").sub == "ada"
    change(said)
    signed = f"{header}.{encoded(said)}"
    with pytest.raises(InvalidToken):
        tokens.verify_access(f"{signed}.{encoded(key.sign(signed.encode()))}")


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{", b'"text"', b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_even_signed_by_us_a_payload_must_be_one(db: Database, tokens: Tokens, payload: bytes) -> None:  # noqa: F811
    header = tokens.mint_access("ada").split(".")[0]
    signed = f"{header}.{encoded(payload)}"
    with pytest.raises(InvalidToken):
        tokens.verify_access(f"{signed}.{encoded(signer(db).sign(signed.encode()))}")


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": "Ed25519"},
        {"typ": "JWT"},
        {"typ": None},
        {"kid": "another"},
        {"crit": ["b64"], "b64": False},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
        {"x5u": "https://example.com"},
        {"extra": 1},
    ],
)
def test_even_signed_by_us_a_header_must_be_the_one_we_write(
    db: Database,  # noqa: F811
    tokens: Tokens,
    change: dict[str, Any],
) -> None:
    header, payload, _ = tokens.mint_access("ada").split(".")
    signed = f"{encoded(decoded(header) | change)}.{payload}"
    with pytest.raises(InvalidToken):
        tokens.verify_access(f"{signed}.{encoded(signer(db).sign(signed.encode()))}")


def test_no_bit_of_a_token_may_change(tokens: Tokens) -> None:
    text = tokens.mint_access("ada")
    for index, character in enumerate(text):
        for bit in range(7):
            changed = text[:index] + chr(ord(character) ^ (1 << bit)) + text[index + 1 :]
            with pytest.raises(InvalidToken):
                tokens.verify_access(changed)


@pytest.mark.parametrize("extra", ["=", "==", ".", "\n", " ", "\0", "A", ".A", "é"])
def test_nothing_may_stand_beside_a_token(tokens: Tokens, extra: str) -> None:
    text = tokens.mint_access("ada")
    for changed in (text + extra, extra + text, text.replace(".", extra + ".", 1)):
        with pytest.raises(InvalidToken):
            tokens.verify_access(changed)


# Keys


def test_keys_take_turns_and_no_token_notices(tokens: Tokens, db: Database, hands: Hands) -> None:  # noqa: F811
    seen: list[str] = []
    for _ in range(100):
        text = tokens.mint_access("ada")
        other = Tokens(VAULT, Shelf(db))  # another process
        published = {key["kid"] for key in other.public_jwks()["keys"]}
        hands.move(minutes=29)
        assert other.verify_access(text).sub == "ada"
        kid = decoded(text.split(".")[0])["kid"]
        assert kid in published
        seen.append(kid)
        hands.move(hours=23)
    assert 3 <= len(set(seen)) <= 5
    assert sorted(seen) == seen


def test_the_next_key_is_published_a_day_before_it_signs(tokens: Tokens, hands: Hands) -> None:
    first = decoded(tokens.mint_access("ada").split(".")[0])["kid"]
    hands.move(seconds=(SIGNS_FOR - PUBLISHED_BEFORE).total_seconds())
    published = [key["kid"] for key in tokens.public_jwks()["keys"]]
    assert (len(published), published[0]) == (2, first)
    assert decoded(tokens.mint_access("ada").split(".")[0])["kid"] == first
    hands.move(seconds=PUBLISHED_BEFORE.total_seconds())
    assert decoded(tokens.mint_access("ada").split(".")[0])["kid"] == published[1]
    hands.move(seconds=(VERIFIES_AFTER + timedelta(seconds=1)).total_seconds())
    assert [key["kid"] for key in tokens.public_jwks()["keys"]] == published[1:]


def test_processes_that_start_together_know_each_others_tokens(db: Database) -> None:  # noqa: F811
    one, other = Tokens(VAULT, Shelf(db)), Tokens(VAULT, Shelf(db))
    assert other.verify_access(one.mint_access("ada")).sub == "ada"
    assert one.verify_access(other.mint_access("bob")).sub == "bob"
    with db.read() as session:
        assert len(signing_keys.every(session)) == 1


def test_a_withdrawn_key_takes_its_tokens_along(tokens: Tokens, db: Database, hands: Hands) -> None:  # noqa: F811
    text = tokens.mint_access("ada")
    with db.write() as session:
        signing_keys.withdraw(session)
    fresh = Tokens(VAULT, Shelf(db))
    with pytest.raises(InvalidToken):
        fresh.verify_access(text)
    assert fresh.verify_access(fresh.mint_access("ada")).sub == "ada"


def test_keys_that_cannot_be_opened_are_replaced(tokens: Tokens, db: Database, hands: Hands) -> None:  # noqa: F811
    text = tokens.mint_access("ada")
    other = Tokens(Vault(["another key, and the former one is lost"]), Shelf(db))
    assert other.verify_access(text).sub == "ada"
    assert other.verify_access(other.mint_access("bob")).sub == "bob"


def test_keys_that_are_past_are_deleted(tokens: Tokens, db: Database, hands: Hands) -> None:  # noqa: F811
    with db.write() as session:
        signing_keys.purge(session, hands.time)
    tokens.mint_access("ada")
    hands.move(days=40)
    tokens.mint_access("ada")
    hands.move(days=2)
    with db.write() as session:
        signing_keys.purge(session, hands.time)
        assert len(signing_keys.every(session)) == 1


def test_without_a_vault_nothing_is_signed(db: Database, hands: Hands) -> None:  # noqa: F811
    class Locked(Vault):
        """A vault that reads nothing."""

        def decrypt(self, text: str, *, purpose: str, row: str = "") -> bytes:
            return VAULT.decrypt(text, purpose="something else", row=row)

    with pytest.raises(ServiceUnavailable):
        Tokens(Locked(["a key that is long enough for this"]), Shelf(db)).mint_access("ada")
