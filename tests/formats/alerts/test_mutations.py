"""Hostile changes of every sample: only the documented errors come out, and only bounded, storable values."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.formats.alerts import SOURCES, Received
from tests.formats.alerts.samples import SAMPLES, Body, encoded

ROUNDS = 400
HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
ODD: list[Any] = [
    *(None, True, False, 0, -1, 2**63, 2**64 - 1, -(2**63), 10**40, 1.5, -1e308, 1e308),
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "x" * 20_000,
        "9" * 400,
        "\u202e",
        "日本",
        "0001-01-01T00:00:00Z",
        "-1",
        "1e999",
    ),
    *("9999-12-31T23:59:59-14:00", "2026-13-01", "|", "%7C", "http://" + "a" * 5_000, "javascript:x"),
    *([], {}, [[]], [{}], [None], {"": None}, {"a": {"b": {"c": []}}}, ["x"] * 300, [{"x": 1}] * 300),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def changed(dice: random.Random, sample: Body) -> Body:
    body = copy.deepcopy(sample)
    for _ in range(dice.randint(1, 3)):
        found = list(places(body))
        if not found:
            break
        holder, key = dice.choice(found)
        deed = dice.randrange(4)
        if deed == 0 and isinstance(holder, dict):
            holder[dice.choice(["id", "frames", "type", "value"])] = holder.pop(key)
        elif deed == 1:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(dice.choice(ODD))
    return body


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def assert_storable(found: Received) -> None:
    plain = msgspec.to_builtins(found)
    for text in texts(plain):
        assert "\0" not in text
        assert len(text) <= 200_005
        text.encode()
    for alert in found.alerts:
        assert 0 < len(alert.alert_id) <= 255
        assert alert.timestamp is None or alert.timestamp.utcoffset() is not None
        assert alert.affected_users is None or 0 <= alert.affected_users < 2**63
        assert len(msgspec.json.encode(alert.metadata)) < 600_000
    assert len(found.ignored) <= 51


def survive(source: str, body: bytes) -> None:
    try:
        found = SOURCES[source].read(body, HEADERS)
    except (Invalid, MalformedRequest) as error:
        assert len(error.message) < 500
    else:
        assert_storable(found)


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
def test_changed_values(source: str, sample: Body) -> None:
    dice = random.Random(20260101)  # noqa: S311 - repeatable, not secret
    for _ in range(ROUNDS):
        survive(source, encoded(changed(dice, sample)))


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
def test_changed_bytes(source: str, sample: Body) -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable, not secret
    whole = encoded(sample)
    for _ in range(ROUNDS):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        survive(source, bytes(body[: dice.choice([len(body), dice.randrange(len(body))])]))


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
def test_every_source_survives_the_samples_of_all_others(source: str, sample: Body) -> None:
    for name in SOURCES:
        survive(name, encoded(sample))


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
def test_a_resend_has_the_same_ids(source: str, sample: Body) -> None:
    first, second = (SOURCES[source].read(encoded(sample), {}) for _ in range(2))
    assert first == second
    assert first.alerts or first.deployments
    ids = [alert.alert_id for alert in first.alerts if alert.state == "firing"]
    assert len(set(ids)) == len(ids)
