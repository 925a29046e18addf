"""What looks like a credential is hidden, and nothing else is touched."""

from __future__ import annotations

import pytest
from hefesto_api.domain import api_keys, credentials
from hefesto_api.domain.veil import veiled, veiled_line

KEY = "hef_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
REFRESH = "hefr_0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdef"
JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"/api/v1/{KEY}/x", "/api/v1/hef_***/x"),
        (f"Bearer {KEY}", "Bearer hef_***"),
        (f"{REFRESH} and {JWT}.", "hefr_*** and eyJ***"),
        ("postgresql://me:pa%40ss@db/shop", "postgresql://***@db/shop"),
        ("'https://token@github.com/a/b'", "'https://***@github.com/a/b'"),
        (
            "hefesto_api.web.headers of somebody@example.com",
            "hefesto_api.web.headers of somebody@example.com",
        ),
        ("https://example.com/@scope/package?to=a@b", "https://example.com/@scope/package?to=a@b"),
        ("hef_short eyJ.x ://", "hef_short eyJ.x ://"),
    ],
)
def test_credentials_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert veiled(text) == shown
    assert veiled_line(text.encode()) == shown.encode()


@pytest.mark.parametrize("part", ["://", "eyJ", "hef_", "://a", "eyJaaaaaaaaa", "a", "hef", "é"])
def test_a_long_text_of_beginnings_is_read_in_one_go(part: str) -> None:
    text = part * 100_000
    assert len(veiled(text)) <= len(text)


def test_what_the_service_makes_looks_like_a_credential() -> None:
    for made in (
        api_keys.new_key(),
        credentials.new(credentials.REFRESH),
        credentials.new(credentials.TICKET),
    ):
        assert veiled(made) == f"{made[: made.index('_') + 1]}***"
