"""Doors for the tests: a body in, its one alert out."""

from typing import Any

from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.formats.alerts import SOURCES, Received
from tests.formats.alerts.samples import encoded


def read(source: str, body: Any, **headers: str) -> Received:
    """Read a value's JSON (or bytes as they are); headers by keyword, `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SOURCES[source].read(body if isinstance(body, bytes) else encoded(body), named)


def read_alert(source: str, body: Any, **headers: str) -> IncomingAlert:
    found = read(source, body, **headers)
    assert (found.deployments, found.ignored) == ((), ())
    (alert,) = found.alerts
    return alert
