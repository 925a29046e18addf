"""Reading what monitoring tools send: bytes and headers in, alerts and deployments out."""

from hefesto_api.formats.alerts.received import Received
from hefesto_api.formats.alerts.registry import SOURCES, Source

__all__ = ["SOURCES", "Received", "Source"]
