"""The sources we can read: the last part of the webhook's address, and what stands behind it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from hefesto_api.formats.alerts import (
    alertmanager,
    cloudevents,
    glitchtip,
    grafana,
    native,
    otlp,
    pagerduty,
    rollbar,
    sentry,
)
from hefesto_api.formats.alerts.received import Received

Read = Callable[[bytes, Mapping[str, str]], Received]


class Verify(Protocol):
    """Tells whether a request comes from who holds the secret; never raises.

    `body` is raw, `now` aware; `query_token` is the address's `?token=`, for senders that set no header.
    An empty secret verifies nothing.
    """

    def __call__(
        self, secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
    ) -> bool: ...


def as_it_is(body: bytes) -> bytes:
    """Return a body that bears no secret."""
    return body


class Source(NamedTuple):
    """A tool: how its body is read, how it shows who it is, and how to point it here, in one sentence.

    `conceal` takes the secret out of a body that bears one, before it is kept.
    """

    read: Read
    verify: Verify
    setup: str
    conceal: Callable[[bytes], bytes] = as_it_is


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "native": Source(native.read, native.verify, native.SETUP),
        "alertmanager": Source(alertmanager.read, alertmanager.verify, alertmanager.SETUP),
        "grafana": Source(grafana.read, grafana.verify, grafana.SETUP),
        "sentry": Source(sentry.read, sentry.verify, sentry.SETUP),
        "glitchtip": Source(glitchtip.read, glitchtip.verify, glitchtip.SETUP),
        "rollbar": Source(rollbar.read, rollbar.verify, rollbar.SETUP),
        "pagerduty": Source(pagerduty.read, pagerduty.verify, pagerduty.SETUP, pagerduty.conceal),
        "otlp": Source(otlp.read, otlp.verify, otlp.SETUP),
        "cloudevents": Source(cloudevents.read, cloudevents.verify, cloudevents.SETUP),
    }
)
