"""Grafana's webhook contact point: Alertmanager's shape with links, values and, if wanted, a signature."""

from collections.abc import Mapping
from datetime import datetime

from hefesto_api.formats.alerts import signatures
from hefesto_api.formats.alerts.alertmanager import read_group
from hefesto_api.formats.alerts.received import Received

SETUP = (
    "Add a webhook contact point with the address and either the token under Authorization Header - "
    "Credentials, or the secret under HMAC Signature with the timestamp header X-Grafana-Alerting-Timestamp."
)
SIGNATURE = "X-Grafana-Alerting-Signature"
TIMESTAMP = "X-Grafana-Alerting-Timestamp"


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read a group. Raises MalformedRequest for what is no JSON object, Invalid without `alerts`."""
    return read_group(body, "grafana")


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the signature if there is one (of `timestamp:body` with the timestamp header), else the token."""
    signature = signatures.header(headers, SIGNATURE)
    if not signature:
        return signatures.token(secret, headers, query_token)
    timestamp = signatures.header(headers, TIMESTAMP).strip()
    if not timestamp:
        return signatures.hex_signature(secret, body, signature)
    signed = timestamp.encode("utf-8", "surrogatepass") + b":" + body
    return signatures.fresh(timestamp, now) and signatures.hex_signature(secret, signed, signature)
