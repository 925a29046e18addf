"""Celery's messages: what is sent is taken, acknowledged when it was done, and nobody waits for a broker."""

from __future__ import annotations

import socket
import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hefesto_api.adapters import broker
from hefesto_api.domain.errors import UsageError
from tests.adapters.test_limits import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator

RABBITMQ = ("127.0.0.1", 5672)
SECONDS = 60.0


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each broker in turn; skipped where it is not there."""
    if request.param == "redis":
        with Redis(tmp_path_factory.mktemp("redis")) as redis:
            yield f"redis+socket://{redis.url.removeprefix('unix://').partition('?')[0]}"
        return
    with suppress(OSError), socket.create_connection(RABBITMQ, timeout=1):
        yield "amqp://guest:guest@127.0.0.1:5672//"
        return
    pytest.skip("no RabbitMQ answers")


def test_what_is_sent_is_taken_and_a_failure_costs_no_other(broker_url: str) -> None:
    taken: list[str] = []
    all_came = threading.Event()

    def take(job_id: str) -> None:
        taken.append(job_id)
        if job_id == "bad":
            raise ValueError("a fault in what takes")
        if len(taken) == 4:
            all_came.set()

    name = f"hefesto-test-{uuid.uuid4().hex}"
    publisher = broker.Publisher(broker_url, name)
    consumer = broker.Consumer(broker_url, 1, take, name)
    try:
        publisher.send(["one", "bad", "two"])
        consumer.start()
        publisher.send(["three"])
        assert all_came.wait(SECONDS)
        assert taken == ["one", "bad", "two", "three"]
    finally:
        publisher.close()
        consumer.close()
        broker.forget(broker_url, name)


def test_without_a_broker_nobody_waits_and_nobody_fails() -> None:
    publisher = broker.Publisher("amqp://127.0.0.1:1//")
    publisher.send(["one"])
    publisher.close()


@pytest.mark.parametrize("url", ["http://broker", "localhost:6379", "sqs://"])
def test_an_address_of_no_broker_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="BROKER_URL"):
        broker.refuse_unusable(url)
