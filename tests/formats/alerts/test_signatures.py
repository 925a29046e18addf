"""Who may speak for a source: signatures and tokens, right, wrong, stale, cut short and absent."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hefesto_api.formats.alerts import SOURCES

SECRET = b"correct horse battery staple"
BODY = b'{"alerts": []}'
NOW = datetime(2026, 1, 1, tzinfo=UTC)  # 1767225600

# Standard Webhooks' vector as the standard's reference libraries compute it.
STANDARD_SECRET = b"whsec_aGVmZXN0by1kZW1vLXNlY3JldC0zMi1ieXRlcy1vayE="
STANDARD_BODY = (
    b'{"type":"finding.opened","timestamp":"2026-01-01T00:00:00Z","data":{"id":"fnd_42","severity":"HIGH"}}'
)
STANDARD = {
    "webhook-id": "msg_01JHEFESTO000000000000001",
    "webhook-timestamp": "1767225600",
    "webhook-signature": "v1,8IHojsr1g1N4o1mjDBB0r6UL8MbSiFR0n+QPK2GO6I8=",
}


def signed(content: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def verify(
    source: str,
    headers: Mapping[str, str],
    body: bytes = BODY,
    secret: bytes = SECRET,
    now: datetime = NOW,
    query_token: str = "",
) -> bool:
    return SOURCES[source].verify(secret, body, headers, now, query_token=query_token)


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


BY_SIGNATURE = [
    ("native", "X-Webhook-Signature", "sha256=" + signed(BODY)),
    ("grafana", "X-Grafana-Alerting-Signature", signed(BODY)),
    ("sentry", "Sentry-Hook-Signature", signed(BODY)),
]


@pytest.mark.parametrize(("source", "name", "signature"), BY_SIGNATURE)
def test_a_signature_of_the_raw_body(source: str, name: str, signature: str) -> None:
    assert verify(source, {name: signature})
    assert verify(source, {name.upper(): signature})
    assert not verify(source, {name: signature}, body=BODY[:-1])
    assert not verify(source, {name: signature}, secret=b"another")
    assert not verify(source, {name: signature[:-1]})
    assert not verify(source, {name: "ü" + signature[1:]})


@pytest.mark.parametrize(("source", "name", "signature"), BY_SIGNATURE)
def test_a_wrong_signature_is_not_saved_by_a_token(source: str, name: str, signature: str) -> None:
    headers = {
        name: signature.replace(signature[-8:], "00000000"),
        "Authorization": f"Bearer {SECRET.decode()}",
    }
    assert not verify(source, headers, query_token=SECRET.decode())


def test_sentry_has_no_token_beside_its_signature() -> None:
    assert not verify("sentry", {"Authorization": f"Bearer {SECRET.decode()}"}, query_token=SECRET.decode())


def test_grafana_signs_its_timestamp() -> None:
    def headers(timestamp: str) -> dict[str, str]:
        content = timestamp.encode() + b":" + BODY
        return {"X-Grafana-Alerting-Signature": signed(content), "X-Grafana-Alerting-Timestamp": timestamp}

    assert verify("grafana", headers("1767225600"))
    assert verify("grafana", headers("1767225300"))
    assert not verify("grafana", headers("1767225299"))
    assert not verify("grafana", headers("1767225901"))
    assert not verify("grafana", headers("yesterday"))
    assert not verify("grafana", headers("1767225600") | {"X-Grafana-Alerting-Timestamp": "1767225601"})


def test_standard_webhooks_by_the_published_vector() -> None:
    def check(headers: Mapping[str, str], *, body: bytes = STANDARD_BODY, after: int = 0) -> bool:
        return verify("native", headers, body, STANDARD_SECRET, NOW + timedelta(seconds=after))

    assert check(STANDARD)
    assert check(STANDARD | {"webhook-signature": "v1a,xyz v1,AAAA " + STANDARD["webhook-signature"]})
    assert check(STANDARD, after=300)
    assert not check(STANDARD, after=301)
    assert not check(STANDARD, after=-301)
    assert not check(STANDARD, body=STANDARD_BODY[:-1])
    assert not check(STANDARD | {"webhook-id": "msg_2"})
    assert not check(STANDARD | {"webhook-timestamp": "1767225601"})
    assert not check(STANDARD | {"webhook-timestamp": "٣"})
    assert not check({name: value for name, value in STANDARD.items() if name != "webhook-id"})


@pytest.mark.parametrize("secret", [b"whsec_", b"whsec_***", b"whsec_YQ"])
def test_a_garbled_standard_secret_verifies_nothing(secret: bytes) -> None:
    assert not verify("native", STANDARD, STANDARD_BODY, secret)


TOKEN_SOURCES = [name for name in SOURCES if name not in ("sentry", "pagerduty")]


@pytest.mark.parametrize("source", TOKEN_SOURCES)
def test_a_token(source: str) -> None:
    token = SECRET.decode()
    assert verify(source, {"authorization": f"bearer {token}"})
    assert verify(source, {}, query_token=token)
    assert verify(source, basic(f"hefesto:{token}"))
    assert verify(source, basic("hefesto:pw"), secret=b"hefesto:pw")
    assert not verify(source, {"Authorization": f"Bearer {token}x"})
    assert not verify(source, {"Authorization": token})
    assert not verify(source, basic(token))
    assert not verify(source, {"Authorization": "Basic ***"})
    assert not verify(source, {"Authorization": "Bearer wrong"}, query_token=token)


def test_a_token_outside_ascii_compares_by_its_bytes() -> None:
    token = "schlüssel"
    as_servers_hand_it_over = token.encode().decode("latin-1")
    assert verify(
        "alertmanager", {"Authorization": f"Bearer {as_servers_hand_it_over}"}, secret=token.encode()
    )
    assert verify("alertmanager", {}, query_token=token, secret=token.encode())


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "text", ["", "ü", "\ud800", "日本", "sha256=", "v1,", "Bearer ", "Basic =", "9" * 30]
)
def test_whatever_is_sent_nothing_is_raised(source: str, text: str) -> None:
    names = [
        "Authorization",
        "X-Webhook-Signature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "Sentry-Hook-Signature",
        "X-Grafana-Alerting-Signature",
        "X-Grafana-Alerting-Timestamp",
    ]
    for chosen in ([], names[:1], names[1:2], names[2:5], names[5:6], names[6:], names):
        for body in (b"", b"\xff", b"[]", BODY, b'{"routing_key": 5}'):
            assert not verify(source, dict.fromkeys(chosen, text), body, query_token=text)


@pytest.mark.parametrize("source", SOURCES)
def test_an_empty_secret_verifies_nothing(source: str) -> None:
    empty = signed(BODY, b"")
    headers = {
        "X-Webhook-Signature": f"sha256={empty}",
        "Sentry-Hook-Signature": empty,
        "X-Grafana-Alerting-Signature": empty,
    }
    assert not verify(source, headers, secret=b"")
    assert not verify(source, {"Authorization": "Bearer "}, secret=b"")
    assert not verify(source, {}, b'{"routing_key": ""}', secret=b"")


def test_pagerduty_shows_its_routing_key() -> None:
    key = b"0123456789abcdef0123456789abcdef"
    body = b'{"routing_key": "0123456789abcdef0123456789abcdef", "event_action": "trigger"}'
    assert verify("pagerduty", {}, body, key)
    assert not verify("pagerduty", {}, body, SECRET)
    assert not verify("pagerduty", {}, body[:-1], key)
    assert not verify("pagerduty", {}, b"{}", key)
    assert not verify("pagerduty", {"Authorization": f"Bearer {key.decode()}"}, b"{}", key)
