"""Outgoing webhooks: what is sent when, how it is signed (Standard Webhooks 1.0), and what health is."""

from __future__ import annotations

import base64
import hmac
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

EVENTS = (
    "alert.created",
    "alert.acknowledged",
    "alert.resolved",
    "finding.created",
    "finding.resolved",
    "finding.reopened",
    "analysis.completed",
    "analysis.failed",
    "webhook.status_changed",
    "anomaly.detected",
    "deployment.created",
)
STANDARD, SLACK, PAGERDUTY = "standard", "slack", "pagerduty"
FORMATS = (STANDARD, SLACK, PAGERDUTY)
PAGED = (
    "alert.created",
    "alert.acknowledged",
    "alert.resolved",
    "anomaly.detected",
)  # nobody is woken for more
TEST = "webhook.test"

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
STATUSES = (PENDING, DELIVERED, DEAD)
KINDS = ("delivery", "probe", "test")  # of attempts
HEALTHY, DEGRADED, FAILING, DISABLED, UNKNOWN = "healthy", "degraded", "failing", "disabled", "unknown"
HEALTH = (HEALTHY, DEGRADED, FAILING, DISABLED, UNKNOWN)
FAILURES = 5  # in a row, from which an endpoint is failing
LEAST_RATE = 0.95  # of its latest attempts, beneath which it is degraded

ATTEMPTS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)  # seconds after the first
JITTER = 0.1
LONGEST_WAIT = 86_400.0  # that a receiver may ask for
ORDERED = 3  # attempts for which later events of the same alert wait for an earlier one
OVERLAP = timedelta(days=1)

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def pause(attempts: int, retry_after: float | None = None, chance: float | None = None) -> float | None:
    """Return the seconds until the next attempt after so many; None: there is none any more.

    `retry_after` is what the receiver asked for: it can put an attempt off, not bring it forward.
    `chance` in 0..1 stands for a random number.
    """
    if attempts >= len(ATTEMPTS):
        return None
    luck = random.random() if chance is None else chance  # noqa: S311 - no secret
    planned = (ATTEMPTS[attempts] - ATTEMPTS[attempts - 1]) * (1 - JITTER + 2 * JITTER * luck)
    return max(planned, min(retry_after or 0.0, LONGEST_WAIT))


def retry_after(header: str | None, now: datetime) -> float | None:
    """Read `Retry-After`: seconds or a date (RFC 9110, 10.2.3); None for what is neither."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
    except OverflowError:
        return None


def new_secret() -> str:
    """Make a secret: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def headers(message_id: str, moment: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers that show who sent a body; with several secrets, each signs."""
    timestamp = str(int(moment.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def health(*, active: bool, attempts: int, rate: float | None, failures: int) -> str:
    """Name the health of an endpoint by its latest attempts: how many failed in a row, and its rate."""
    if not active:
        return DISABLED
    if not attempts:
        return UNKNOWN
    if failures >= FAILURES:
        return FAILING
    if failures or (rate is not None and rate < LEAST_RATE):
        return DEGRADED
    return HEALTHY


def percentile(values: Sequence[float], part: float) -> float | None:
    """Return the value that this part of the values does not exceed; None of none."""
    ranked = sorted(values)
    return ranked[min(int(part * len(ranked)), len(ranked) - 1)] if ranked else None


def is_wanted(event_type: str, wanted: Sequence[str], form: str) -> bool:
    """Tell whether an endpoint is told of an event; no events named: of all that its form has."""
    if form == PAGERDUTY and event_type not in PAGED:
        return False
    return event_type in EVENTS and (not wanted or event_type in wanted)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
