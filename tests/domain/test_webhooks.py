"""The retry table, signatures that the standard's own library takes, and names of health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hefesto_api.domain import clock, webhooks
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_attempts_come_at_the_hours_of_the_table() -> None:
    at, times = 0.0, [0.0]
    for attempts in range(1, 10):
        wait = webhooks.pause(attempts, chance=0.5)
        assert wait is not None
        at += wait
        times.append(at)
    hour = 3600
    assert times == pytest.approx(
        [0, 5, 300, hour / 2, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]
    )
    assert webhooks.pause(10) is None


def test_jitter_spreads_a_tenth_to_both_sides() -> None:
    assert webhooks.pause(1, chance=0.0) == pytest.approx(4.5)
    assert webhooks.pause(1, chance=1.0) == pytest.approx(5.5)


def test_a_receiver_puts_an_attempt_off_but_not_forward() -> None:
    assert webhooks.pause(1, 60) == 60
    assert webhooks.pause(2, 1, chance=0.5) == pytest.approx(295)
    assert webhooks.pause(1, 10**9) == webhooks.LONGEST_WAIT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", webhooks.LONGEST_WAIT),
        ("Wed, 04 Mar 2026 05:07:07 GMT", 60),
        ("Wed, 04 Mar 2020 05:07:07 GMT", 0),
        ("Wed, 04 Mar 9999 05:07:07 GMT", webhooks.LONGEST_WAIT),
        ("-1", None),
        ("soon", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert webhooks.retry_after(header, NOW) == seconds


def test_the_standards_library_takes_what_is_signed() -> None:
    secret, body = webhooks.new_secret(), '{"type":"alert.created","data":{"n":"ü"}}'.encode()
    headers = webhooks.headers("msg_1", clock.now(), body, [secret])
    assert Webhook(secret).verify(body, headers)["data"] == {"n": "ü"}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhooks.new_secret()).verify(body, headers)


def test_while_a_secret_is_rotated_both_verify() -> None:
    new, former = webhooks.new_secret(), webhooks.new_secret()
    headers = webhooks.headers("msg_1", clock.now(), b"{}", [new, former])
    assert Webhook(new).verify(b"{}", headers) == Webhook(former).verify(b"{}", headers) == {}


def test_a_signature_of_long_ago_is_stale() -> None:
    secret = webhooks.new_secret()
    headers = webhooks.headers("msg_1", clock.now() - timedelta(minutes=6), b"{}", [secret])
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{}", headers)


@pytest.mark.parametrize(
    ("active", "attempts", "rate", "failures", "named"),
    [
        (True, 0, None, 0, "unknown"),
        (True, 9, 1.0, 0, "healthy"),
        (True, 9, 0.9, 0, "degraded"),
        (True, 9, 0.99, 1, "degraded"),
        (True, 9, 0.5, 5, "failing"),
        (False, 9, 1.0, 0, "disabled"),
    ],
)
def test_health_has_a_name(
    active: bool, attempts: int, rate: float | None, failures: int, named: str
) -> None:
    assert webhooks.health(active=active, attempts=attempts, rate=rate, failures=failures) == named


def test_percentiles_are_of_what_was_measured() -> None:
    assert webhooks.percentile([], 0.5) is None
    assert webhooks.percentile(range(1, 101), 0.95) == 96
    assert webhooks.percentile([7.0], 0.95) == 7.0


def test_nobody_is_woken_for_findings() -> None:
    assert webhooks.is_wanted("finding.created", (), "slack")
    assert not webhooks.is_wanted("finding.created", (), "pagerduty")
    assert not webhooks.is_wanted("finding.created", ("alert.created",), "standard")
    assert not webhooks.is_wanted("finding.merged", (), "standard")
