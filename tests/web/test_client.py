"""Who is at the other end, and what anybody gains who lies about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, jsonify, request
from hefesto_api import settings as all_settings
from hefesto_api.domain.errors import UsageError
from hefesto_api.web import client

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "10.0.0.1"
CLIENT = "203.0.113.9"
LIES = ("127.0.0.1", "::1", "10.0.0.7", "198.51.100.1", "unknown", "127.0.0.1, 10.0.0.1")


def asked(folder: Path, trusted: str, peer: str | None, **headers: str) -> dict[str, Any]:
    """Return how the application sees a request of a peer with some headers."""
    app = Flask("asked")

    @app.get("/")
    def tell() -> Any:
        return jsonify(
            address=client.client_address(),
            network=client.client_network(),
            peer=client.peer_address(),
            trusted=client.through_trusted_proxy(),
            local=client.is_local(),
            scheme=request.scheme,
            host=request.host,
        )

    client.install(app, all_settings.load({"HEFESTO_TRUSTED_PROXIES": trusted}, folder))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    environ = {"REMOTE_ADDR": peer} if peer is not None else {"REMOTE_ADDR": ""}
    told = app.test_client().get("/", headers=named, environ_base=environ).get_json()
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("lie", LIES)
def test_nobody_gains_by_lying_about_their_address(tmp_path: Path, lie: str) -> None:
    for trusted in ("", "10.0.0.0/8"):
        told = asked(tmp_path, trusted, CLIENT, X_Forwarded_For=lie, X_Forwarded_Proto="https")
        assert (told["address"], told["scheme"], told["trusted"]) == (CLIENT, "http", False)
    behind = asked(tmp_path, "10.0.0.0/8", PROXY, X_Forwarded_For=f"{lie}, {CLIENT}")
    assert (behind["address"], behind["peer"]) == (CLIENT, PROXY)


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, 10.0.0.2,10.1.1.1", CLIENT),
        (f"198.51.100.1, {CLIENT}, 10.0.0.2", CLIENT),
        ("10.9.9.9, 10.0.0.2", "10.9.9.9"),
        (f"{CLIENT}:50123", CLIENT),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        (f"::ffff:{CLIENT}", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_clients(tmp_path: Path, chain: str, address: str) -> None:
    assert asked(tmp_path, "10.0.0.0/8", PROXY, X_Forwarded_For=chain)["address"] == address


@pytest.mark.parametrize(
    "chain", ["", ",", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "01.2.3.4", "[::1", "::1]:80", "x" * 9000]
)
def test_what_cannot_be_read_ends_the_chain(tmp_path: Path, chain: str) -> None:
    assert asked(tmp_path, "10.0.0.0/8", PROXY, X_Forwarded_For=chain)["address"] == PROXY
    told = asked(tmp_path, "10.0.0.0/8", PROXY, X_Forwarded_For=f"127.0.0.1, {chain}, 10.0.0.2")
    assert told["address"] == "10.0.0.2"


def test_a_proxy_in_ipv6s_clothes_is_known(tmp_path: Path) -> None:
    assert asked(tmp_path, "10.0.0.0/8", f"::ffff:{PROXY}", X_Forwarded_For=CLIENT)["address"] == CLIENT
    assert asked(tmp_path, "", f"::ffff:{CLIENT}")["address"] == CLIENT


def test_scheme_and_host_come_from_trusted_proxies_alone(tmp_path: Path) -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "hefesto.example"}
    told = asked(tmp_path, "10.0.0.0/8", PROXY, **said)
    assert (told["scheme"], told["host"]) == ("https", "hefesto.example")
    told = asked(tmp_path, "10.0.0.0/8", CLIENT, **said)
    assert (told["scheme"], told["host"]) == ("http", "localhost")


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "a@b", "a\\b", "[::1", "x" * 300, "a:port", "é", "a?b", "a#b"]
)
def test_a_scheme_or_host_that_is_none_is_ignored(tmp_path: Path, host: str) -> None:
    told = asked(tmp_path, PROXY, PROXY, X_Forwarded_Proto="javascript", X_Forwarded_Host=host)
    assert (told["scheme"], told["host"]) == ("http", "localhost")


def test_the_nearest_proxys_word_counts(tmp_path: Path) -> None:
    said = {"X_Forwarded_Proto": "https, http", "X_Forwarded_Host": "evil.example, hefesto.example"}
    told = asked(tmp_path, PROXY, PROXY, **said)
    assert (told["scheme"], told["host"]) == ("http", "hefesto.example")


def test_local_sockets_are_trusted_where_the_settings_say_so(tmp_path: Path) -> None:
    assert asked(tmp_path, "unix", None, X_Forwarded_For=CLIENT)["address"] == CLIENT
    assert asked(tmp_path, "10.0.0.0/8", None, X_Forwarded_For=CLIENT)["address"] == ""
    assert asked(tmp_path, "unix", PROXY, X_Forwarded_For=CLIENT)["address"] == PROXY


def test_only_who_speaks_for_himself_is_of_this_machine(tmp_path: Path) -> None:
    assert asked(tmp_path, "", "127.0.0.1")["local"]
    assert asked(tmp_path, "", "::1")["local"]
    assert asked(tmp_path, "", None)["local"]
    assert not asked(tmp_path, "", CLIENT)["local"]
    for trusted in ("", "127.0.0.1"):
        assert not asked(tmp_path, trusted, "127.0.0.1", X_Forwarded_For=CLIENT)["local"]
        assert not asked(tmp_path, trusted, "127.0.0.1", X_Forwarded_For="127.0.0.1")["local"]


def test_limits_count_a_network_of_ipv6_as_one(tmp_path: Path) -> None:
    assert asked(tmp_path, "", "2001:db8:1:2:3::4")["network"] == "2001:db8:1:2::/64"
    assert asked(tmp_path, "", CLIENT)["network"] == CLIENT


@pytest.mark.parametrize("value", ["10.0.0.1/8", "everybody", "10.0.0.0/33", "unix:/run/x"])
def test_a_network_that_is_none_stops_the_start(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="HEFESTO_TRUSTED_PROXIES"):
        all_settings.load({"HEFESTO_TRUSTED_PROXIES": value}, tmp_path)
