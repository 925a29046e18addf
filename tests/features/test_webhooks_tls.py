"""A receiver with TLS is told only by a certificate of its address's host, in force, and of a trusted CA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.adapters.delivery import sending
from tests.answers import data_of
from tests.features.certificates import Authority
from tests.features.receiver import Receiver

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.features.conftest import Service

HERE = "127.0.0.0/8,::1/128"
HOST = "localhost"
LAST_WEEK = datetime.now(UTC) - timedelta(days=7)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """A private CA, trusted as an operator has it: by SSL_CERT_FILE in the service's environment."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    sending._machine_trust.cache_clear()
    yield made
    sending._machine_trust.cache_clear()


@pytest.fixture
def near(make_service: Callable[..., Service], db_url: str, trusted: Authority) -> Service:
    return make_service(db_url, HEFESTO_WEBHOOK_ALLOW_PRIVATE=HERE)


def delivered(service: Service, receiver: Receiver, host: str = HOST) -> tuple[dict[str, Any], str]:
    """Have something told to a receiver; return the delivery with its attempts, and the secret."""
    body = {"name": "tls", "url": f"https://{host}:{receiver.port}/in", "events": ["deployment.created"]}
    webhook = data_of(service.client.post("/api/v1/webhooks", json=body))
    data_of(service.client.post("/api/v1/deployments", json={"project": "shop", "release": "1"}))
    while service.worker.dispatcher.drain():
        pass
    (one,) = service.get(f"/webhooks/{webhook['id']}/deliveries")["deliveries"]
    return one, webhook["secret"]


def test_a_certificate_of_a_trusted_ca_and_the_hosts_name_is_taken(near: Service, trusted: Authority) -> None:
    with Receiver(tls=trusted.serving(HOST)) as receiver:
        one, secret = delivered(near, receiver)
        assert (one["status"], one["error"]) == ("delivered", None)
        assert [told["type"] for told in receiver.told(secret)] == ["deployment.created"]


def _other_name(trusted: Authority, _: Path) -> ssl.SSLContext:
    return trusted.serving("elsewhere.example")


def _expired(trusted: Authority, _: Path) -> ssl.SSLContext:
    return trusted.serving(HOST, until=LAST_WEEK)


def _self_signed(trusted: Authority, _: Path) -> ssl.SSLContext:
    return trusted.serving(HOST, self_signed=True)


def _of_a_stranger(_: Authority, folder: Path) -> ssl.SSLContext:
    return Authority(folder, "stranger").serving(HOST)


@pytest.mark.parametrize(
    ("served", "reason"),
    [
        (_other_name, "TLS: Hostname mismatch, certificate is not valid for 'localhost'"),
        (_expired, "TLS: certificate has expired"),
        (_self_signed, "TLS: self-signed certificate"),
        (_of_a_stranger, "TLS: unable to get local issuer certificate"),
    ],
)
def test_any_other_certificate_is_refused_and_the_attempt_says_why(
    near: Service,
    trusted: Authority,
    tmp_path: Path,
    served: Callable[[Authority, Path], ssl.SSLContext],
    reason: str,
) -> None:
    with Receiver(tls=served(trusted, tmp_path)) as receiver:
        one, _ = delivered(near, receiver)
        assert receiver.heard == []  # neither the message nor a probe
    assert one["status"] == "pending"
    (attempt,) = one["attempt_log"]
    assert (attempt["is_success"], attempt["status_code"]) == (False, None)
    assert attempt["error"] == f"{reason}."


def test_a_number_is_not_the_name_of_a_certificate(near: Service, trusted: Authority) -> None:
    """The name that counts is that of the webhook's address, not whatever the checked number is called."""
    with Receiver(tls=trusted.serving(HOST)) as receiver:
        one, _ = delivered(near, receiver, "127.0.0.1")
        assert receiver.heard == []
    assert one["error"] == "TLS: IP address mismatch, certificate is not valid for '127.0.0.1'."
