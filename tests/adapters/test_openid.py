"""What a provider publishes is kept for a while, and asked for again in measure."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hefesto_api.adapters.openid import (
    ASKED_AGAIN_AFTER,
    KEPT_SECONDS,
    Client,
    OpenId,
    ProviderUnavailable,
    Started,
)
from hefesto_api.adapters.outgoing import Answer, CallFailed

ISSUER = "https://id.example"
STARTED = Started("state", "nonce", "verifier")


class World:
    """A provider and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.down = False
        self.about: dict[str, Any] = {
            "issuer": ISSUER,
            **{f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token")},
            "jwks_uri": f"{ISSUER}/keys",
        }

    def call(self, method: str, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        if self.down:
            raise CallFailed("down")
        told = {"keys": []} if url.endswith("/keys") else self.about
        return Answer(200, "application/json", orjson.dumps(told))


@pytest.fixture
def world() -> World:
    return World()


def opened(world: World, issuer: str = ISSUER) -> OpenId:
    client = Client(issuer, "me", "secret", ("email",))
    return OpenId(client, call=world.call, monotonic=lambda: world.now)


def test_it_is_asked_once_in_a_while(world: World) -> None:
    provider = opened(world)
    for _ in range(3):
        address = provider.authorization_url(STARTED, "https://hefesto.example/back")
    assert len(world.asked) == 2
    assert address.startswith(f"{ISSUER}/authorization?response_type=code&client_id=me&")
    assert "scope=openid+email" in address
    assert "verifier" not in address
    world.now += KEPT_SECONDS
    provider.authorization_url(STARTED, "https://hefesto.example/back")
    assert len(world.asked) == 4


def test_what_is_known_lasts_while_it_is_down(world: World) -> None:
    provider = opened(world)
    provider.authorization_url(STARTED, "https://hefesto.example/back")
    world.down = True
    world.now += KEPT_SECONDS
    for _ in range(3):
        provider.authorization_url(STARTED, "https://hefesto.example/back")
    assert len(world.asked) == 3
    world.now += ASKED_AGAIN_AFTER
    provider.authorization_url(STARTED, "https://hefesto.example/back")
    assert len(world.asked) == 4


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example/token",
        "https:///token",
        5,
        None,
        "",
        "javascript:x",
        "https://[x/",
        "https://\u00e9/",
    ],
)
def test_an_address_that_is_less_safe_than_the_provider_is_not_used(world: World, address: Any) -> None:
    world.about["token_endpoint"] = address
    with pytest.raises(ProviderUnavailable):
        opened(world).authorization_url(STARTED, "https://hefesto.example/back")


def test_its_secret_is_shown_nowhere(world: World) -> None:
    assert "secret" not in repr(opened(world).client)
