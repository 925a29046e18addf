"""Ten thousand forged signatures, and the same event fifty times at once, sent to a running service.

    python -m benchmarks.security.signatures [--quick] [--mutations 10000] [--seed N] [--plant]

Each scheme by which senders show who they are (HMACs of the body, Standard Webhooks, tokens, keys in the
body, and the signed requests of API keys) is tried with what is almost right: another digit, body, time,
secret, address or algorithm, cut short, said twice, in foreign bytes. None may be let in, and no answer may
be of 500 or more. What is right is let in before and after. Then each scheme sends one event fifty times at
once: it must be one row. Exit status 1 otherwise. `--plant` hides good signatures among the forged ones,
which must be noticed.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import http.client
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.service import SERVE, Service

AT_ONCE = 50
SENDERS = 4
PLANTED = 25
WAIT_SECONDS = 60
SECRET_KEY = "the key of a benchmark which is long enough"  # noqa: S105 - of a service that is thrown away
TARGETS = {
    "native": "/api/v1/iris/webhook",
    "standard": "/api/v1/iris/webhook/native",
    "grafana": "/api/v1/iris/webhook/grafana",
    "grafana_timed": "/api/v1/iris/webhook/grafana",
    "sentry": "/api/v1/iris/webhook/sentry",
    "bearer": "/api/v1/iris/webhook/alertmanager",
    "basic": "/api/v1/iris/webhook/otlp",
    "query": "/api/v1/iris/webhook/rollbar",
    "routing_key": "/api/v1/iris/webhook/pagerduty",
    "request": "/api/v1/alerts",
}
SOURCES = ("native", "grafana", "sentry", "alertmanager", "otlp", "rollbar", "pagerduty")


@dataclass(frozen=True)
class Message:
    """What is sent: `proof` are the headers that show who sends it, made of what else is said here."""

    scheme: str
    target: str
    body: bytes
    secret: str
    moment: str
    proof: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    @property
    def headers(self) -> dict[str, str]:
        """All headers but those of the connection."""
        return {"Content-Type": "application/json", **self.proof}


def hexed(secret: str, content: bytes) -> str:
    """Return an HMAC-SHA256 in hexadecimal."""
    return hmac.digest(secret.encode(), content, sha256).hex()


class Prover:
    """Knows how each scheme shows who sends; `key` is an API key that must sign."""

    def __init__(self, secrets: Mapping[str, str], key: str) -> None:
        self.secrets = secrets
        self.key = key

    def message(self, scheme: str, name: str) -> Message:
        """Return a good message about an event of this name."""
        secret = self.secrets[scheme]
        body = BODIES[scheme](name, secret)
        query = f"?token={secret}" if scheme == "query" else ""
        return self.proved(Message(scheme, TARGETS[scheme] + query, body, secret, str(int(time.time()))))

    def proved(self, message: Message, moment: str | None = None) -> Message:
        """Return the message with the proof that goes with it."""
        at, body, secret = moment or message.moment, message.body, message.secret
        match message.scheme:
            case "native":
                proof = {"X-Webhook-Signature": "sha256=" + hexed(secret, body)}
            case "standard":
                name = f"msg_{sha256(body).hexdigest()[:12]}"
                content = f"{name}.{at}.".encode() + body
                digest = base64.b64encode(hmac.digest(secret.encode(), content, sha256)).decode()
                proof = {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": f"v1,{digest}"}
            case "grafana":
                proof = {"X-Grafana-Alerting-Signature": hexed(secret, body)}
            case "grafana_timed":
                signed = hexed(secret, at.encode() + b":" + body)
                proof = {"X-Grafana-Alerting-Signature": signed, "X-Grafana-Alerting-Timestamp": at}
            case "sentry":
                proof = {"Sentry-Hook-Signature": hexed(secret, body), "Sentry-Hook-Resource": "issue"}
            case "bearer":
                proof = {"Authorization": f"Bearer {secret}"}
            case "basic":
                pair = base64.b64encode(f"me:{secret}".encode()).decode()
                proof = {"Authorization": f"Basic {pair}"}
            case "request":
                text = "\n".join((message.method, message.target, at, sha256(body).hexdigest()))
                proof = {
                    "Authorization": f"Bearer {self.key}",
                    "X-Signature-Timestamp": at,
                    "X-Signature": "sha256=" + hexed(secret, text.encode()),
                }
            case _:
                proof = {}
        return replace(message, moment=at, proof=proof)


def _native(name: str, _secret: str) -> bytes:
    payload = {"error_type": "KeyError", "error_message": name, "service_name": "shop"}
    told = {"alert_id": name, "alert_type": "error", "timestamp": "2026-01-01T10:00:00Z"}
    return json.dumps({**told, "payload": payload}).encode()


def _prometheus(name: str, _secret: str) -> bytes:
    alert = {
        "status": "firing", "labels": {"alertname": name}, "annotations": {}, "fingerprint": name,
        "startsAt": "2026-01-01T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return json.dumps({"version": "4", "status": "firing", "alerts": [alert]}).encode()


def _sentry(name: str, _secret: str) -> bytes:
    issue = {"id": name, "title": f"KeyError: {name}", "project": {"slug": "shop"}, "level": "error"}
    return json.dumps({"action": "created", "data": {"issue": issue}}).encode()


def _rollbar(name: str, _secret: str) -> bytes:
    occurrence = {"id": 1, "timestamp": 1767261600, "body": {"message": {"body": name}}}
    item = {
        "id": int(sha256(name.encode()).hexdigest()[:8], 16),
        "title": name,
        "last_occurrence": occurrence,
    }
    return json.dumps({"event_name": "new_item", "data": {"item": item, "occurrence": occurrence}}).encode()


def _pagerduty(name: str, secret: str) -> bytes:
    payload = {"summary": name, "severity": "error", "source": "shop"}
    told = {"routing_key": secret, "event_action": "trigger", "dedup_key": name}
    return json.dumps({**told, "payload": payload}).encode()


def _otlp(name: str, _secret: str) -> bytes:
    attributes = [
        {"key": "exception.type", "value": {"stringValue": "KeyError"}},
        {"key": "exception.message", "value": {"stringValue": name}},
    ]
    record = {"severityNumber": 17, "timeUnixNano": "1767261600000000000", "attributes": attributes}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


BODIES: Mapping[str, Callable[[str, str], bytes]] = {
    "native": _native, "standard": _native, "grafana": _prometheus, "grafana_timed": _prometheus,
    "sentry": _sentry, "bearer": _prometheus, "basic": _otlp, "query": _rollbar, "routing_key": _pagerduty,
    "request": _native,
}  # fmt: skip


class Forger:
    """Makes what is almost right out of what is right."""

    def __init__(self, prover: Prover, chance: random.Random) -> None:
        self._prover = prover
        self._chance = chance
        self._ways = (self._other_body, self._other_secret, self._mangled, self._mangled, self._absent)
        self._timed_ways = (*self._ways, self._other_time, self._stale)

    def forged(self, good: Message) -> Message | None:
        """Return a message that must be refused; None when chance made a good one."""
        timed = good.scheme in {"standard", "grafana_timed", "request"}
        made = self._chance.choice(self._timed_ways if timed else self._ways)(good)
        return None if _means_the_same(made, good) else made

    def _other_body(self, good: Message) -> Message:
        """Change what was signed; a token signs nothing, so there it is the token that is changed."""
        if good.scheme in {"bearer", "basic", "query", "routing_key"}:
            return self._other_secret(good)
        body = bytearray(good.body)
        place = self._chance.randrange(len(body))
        match self._chance.randrange(5):
            case 0:
                body[place] ^= 1 << self._chance.randrange(8)
            case 1:
                del body[place]
            case 2:
                body += b" "
            case 3:
                body = bytearray(json.dumps(json.loads(good.body), indent=1).encode())
            case _:
                body.insert(place, self._chance.randrange(256))
        return replace(good, body=bytes(body))

    def _other_secret(self, good: Message) -> Message:
        secret = good.secret
        others = (
            "", " ", secret[:-1], secret + "x", secret.swapcase(), secret[::-1], f" {secret}", f"{secret}\n",
            secret.encode().hex(), f"whsec_{secret}", "null", "0",
            *(other for other in self._prover.secrets.values() if other != secret),
        )  # fmt: skip
        other = self._chance.choice(others)
        made = self._prover.proved(replace(good, secret=other))
        if good.scheme == "query":
            made = replace(made, target=f"{TARGETS['query']}?token={other.strip()}")
        if good.scheme == "routing_key":
            event = json.loads(good.body)
            made = replace(made, body=json.dumps({**event, "routing_key": other}).encode())
        return replace(made, proof={name: value.replace("\n", "") for name, value in made.proof.items()})

    def _other_time(self, good: Message) -> Message:
        """Say another time than what was signed."""
        names = {"standard": "webhook-timestamp", "grafana_timed": "X-Grafana-Alerting-Timestamp"}
        name = names.get(good.scheme, "X-Signature-Timestamp")
        other = str(int(float(good.moment)) + self._chance.choice((-290, -1, 1, 290)))
        return replace(good, proof={**good.proof, name: other})

    def _stale(self, good: Message) -> Message:
        """Sign a time that is too long ago, in the future, or none at all."""
        now = int(float(good.moment))
        moments = (
            now - 400,
            now + 400,
            0,
            -now,
            f"{now}000",
            "now",
            "9" * 300,
            f"{now} ",
            f"+{now}",
            "1e9",
            "\xb2",
        )
        other = str(self._chance.choice(moments))
        return self._prover.proved(good, other.strip() if other.strip() != str(now) else "x")

    def _mangled(self, good: Message) -> Message:
        """Change the text of a proof."""
        if not good.proof:
            return self._other_secret(good)
        shown = [name for name in good.proof if name not in {"Sentry-Hook-Resource", "webhook-id"}]
        name = self._chance.choice(shown)
        return replace(good, proof={**good.proof, name: self._mangle(good.proof[name])})

    def _mangle(self, text: str) -> str:
        place = self._chance.randrange(len(text))
        other = self._chance.choice("0123456789abcdefg=,.+/ \xe9\xb2\xff\x7f")
        return self._chance.choice((
            text[:place], text[:place] + other + text[place + 1 :], text[:place] + other + text[place:],
            text[place:], "", text * 2, f"{text},{text}x", text.replace("sha256", "sha1"),
            text.replace("sha256=", ""), text.replace("v1,", "v1a,"), text.replace("v1,", "v0,"),
            text.replace("Bearer", "Basic"), text.replace("Basic", "Bearer"), "\xff" * 64, "0" * 64,
            f"sha256={'0' * 64}", "sha256=" + "\xb2" * 64, "A" * 5000, "v1,", " ".join([text[:-2]] * 30),
            base64.b64encode(text.encode("latin-1")).decode(), text.encode("latin-1").hex(),
        ))  # fmt: skip

    def _absent(self, good: Message) -> Message:
        """Leave a proof out."""
        if good.scheme == "query":
            return replace(good, target=TARGETS["query"])
        if not good.proof:
            return replace(good, body=good.body.replace(b"routing_key", b"routing_kez"))
        name = self._chance.choice([one for one in good.proof if one != "Sentry-Hook-Resource"])
        return replace(good, proof={one: text for one, text in good.proof.items() if one != name})


def _means_the_same(made: Message, good: Message) -> bool:
    """Tell whether chance has changed nothing but white space around, or the case of hexadecimal digits.

    Or the name before a Basic password: that is the secret, whoever is said to show it.
    """
    same_content = made.body == good.body and made.target == good.target
    if good.scheme == "grafana_timed" and "X-Grafana-Alerting-Timestamp" not in made.proof:
        return False
    plain = {name: _plain(value) for name, value in made.proof.items() if value.strip()}
    return same_content and plain == {name: _plain(value) for name, value in good.proof.items()}


def _plain(text: str) -> str:
    scheme, blank, rest = text.strip().partition(" ")
    if scheme.lower() == "basic":
        return f"basic {_password(rest.strip())!r}"
    if blank:
        return f"{scheme.lower()} {rest.strip()}"
    prefix, equals, digits = text.strip().rpartition("=")
    return f"{prefix}{equals}{digits.lower()}" if len(digits) == 64 else text.strip()


def _password(pair: str) -> bytes:
    try:
        _, colon, password = base64.b64decode(pair, validate=True).partition(b":")
    except ValueError:
        return pair.encode()
    return password if colon else pair.encode()


class Sender(threading.local):
    """A connection for each thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, message: Message) -> tuple[int, bytes]:
        """Send a message and return the status and body of the answer; 0 when the connection was closed."""
        for _ in range(2):  # the service closes connections after what it cannot read
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                self._connection.request(message.method, message.target, message.body, message.headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except ValueError:
                self._connection.close()
                return 400, b"http.client does not send it"
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = None
        return 0, b""


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 mutations")
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hefesto-signatures-"))
    environ = {
        "HEFESTO_AUTH": "required", "HEFESTO_SECRET_KEY": SECRET_KEY, "HEFESTO_RATE_LIMITS": "off",
        "HEFESTO_WORKERS": "2",
    }  # fmt: skip
    service = Service(folder, folder, SERVE, environ)
    try:
        admin = _admin_key(folder, environ)
        service.start()
        prover = _configured(service, admin)
        chance = random.Random(asked.seed)  # noqa: S311 - no secret
        count = 1_000 if asked.quick else asked.mutations
        faults = _exam(service, prover, count, chance, planted=PLANTED if asked.plant else 0)
        faults += _at_once(service, prover)
        faults += [
            f"the log tells of a failure: {line}"
            for line in service.log().splitlines()
            if "Traceback" in line
        ]
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {asked.seed}:", "all refused, one row each" if not faults else "FAILED")
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


def _admin_key(folder: Path, environ: Mapping[str, str]) -> str:
    """Make an admin's key beside the service."""
    argv = (sys.executable, "-m", "hefesto_api", "keys", "create", "--name", "benchmark", "--role", "admin")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    url = {"HEFESTO_DATABASE_URL": f"sqlite:///{folder / 'hefesto.db'}"}
    done = subprocess.run(
        argv, env={**kept, **environ, **url}, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1]


def _configured(service: Service, admin: str) -> Prover:
    """Configure every source with a secret of its own, and a key that must sign."""
    sender = Sender(service.port)

    def make(path: str, wanted: Mapping[str, Any]) -> Any:
        proof = {"Authorization": f"Bearer {admin}"}
        status, said = sender.send(Message("admin", path, json.dumps(wanted).encode(), "", "", proof))
        if status != 201:
            raise SystemExit(f"{path} answered with {status}: {said!r}")
        return json.loads(said)["data"]

    secrets = {source: f"{source}-secret-{os.urandom(12).hex()}" for source in SOURCES}
    for source, secret in secrets.items():
        make("/api/v1/iris/sources", {"source": source, "project": "shop", "secret": secret})
    wanted = {"name": "signer", "role": "admin", "tier": "enterprise", "require_signature": True}
    key = make("/api/v1/auth/api-keys", wanted)
    by_scheme = {
        "native": "native", "standard": "native", "grafana": "grafana", "grafana_timed": "grafana",
        "sentry": "sentry", "bearer": "alertmanager", "basic": "otlp", "query": "rollbar",
        "routing_key": "pagerduty",
    }  # fmt: skip
    proofs = {scheme: secrets[source] for scheme, source in by_scheme.items()}
    return Prover({**proofs, "request": key["signing_secret"]}, key["key"])


def _exam(service: Service, prover: Prover, count: int, chance: random.Random, *, planted: int) -> list[str]:
    """Send forged messages; return what was let in, and what the service failed at."""
    sender, forger = Sender(service.port), Forger(prover, chance)
    faults = _refused_good(sender, prover, "before")
    schemes, number = list(TARGETS), 0
    forged: list[Message] = []
    while len(forged) < count:
        number += 1
        made = forger.forged(prover.message(schemes[number % len(schemes)], f"forged-{number}"))
        if made is not None:
            forged.append(made)
    for place in chance.sample(range(len(forged)), planted):
        forged[place] = prover.message(schemes[place % len(schemes)], f"planted-{place}")
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(sender.send, forged))
    seconds = time.monotonic() - began
    statuses = Counter(status for status, _ in answers)
    accepted = [made for made, (status, _) in zip(forged, answers, strict=True) if 200 <= status < 300]
    failed = [made for made, (status, _) in zip(forged, answers, strict=True) if status >= 500 or not status]
    print(
        f"{len(forged)} forged: {len(accepted)} accepted, {len(failed)} answered with 500 or not at all "
        f"({dict(sorted(statuses.items()))}; {seconds:.0f} s, load {os.getloadavg()[0]:.1f})"
    )
    faults += [
        f"accepted: {made.scheme} {dict(made.proof)} {made.target} {made.body!r:.200}" for made in accepted
    ]
    faults += [
        f"failed: {made.scheme} {dict(made.proof)} {made.target} {made.body!r:.200}" for made in failed
    ]
    return faults + _refused_good(sender, prover, "after")


def _refused_good(sender: Sender, prover: Prover, when: str) -> list[str]:
    faults = []
    for scheme in TARGETS:
        status, said = sender.send(prover.message(scheme, f"good-{when}-{scheme}"))
        if status not in {201, 202}:
            faults.append(f"{scheme}: what is right was answered with {status}: {said[:200]!r}")
    return faults


def _at_once(service: Service, prover: Prover) -> list[str]:
    """Send the same event fifty times at once, with each scheme; return where it became more than one row."""
    faults: list[str] = []
    for scheme in TARGETS:
        message = prover.message(scheme, f"once-{scheme}-event")
        sender, barrier = Sender(service.port), threading.Barrier(AT_ONCE)

        def send(
            _number: int,
            message: Message = message,
            sender: Sender = sender,
            barrier: threading.Barrier = barrier,
        ) -> tuple[int, bytes]:
            barrier.wait()
            return sender.send(message)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(send, range(AT_ONCE)))
        statuses = Counter(status for status, _ in answers)
        expected = {201: 1, 401: AT_ONCE - 1} if scheme == "request" else {202: AT_ONCE}
        if statuses != expected:
            faults.append(f"{scheme}: {AT_ONCE} at once were answered with {dict(statuses)}")
        ids = {json.loads(body)["data"].get("webhook_id") for status, body in answers if status == 202}
        if len(ids) > 1:
            faults.append(f"{scheme}: {AT_ONCE} at once became {len(ids)} messages")
    alerts = _alerts_once(service)
    faults += [f"{scheme}: one event became {count} alerts" for scheme, count in alerts.items() if count != 1]
    print(f"the same event {AT_ONCE} times at once, by {len(TARGETS)} schemes: {sum(alerts.values())} rows")
    return faults


def _alerts_once(service: Service) -> dict[str, int]:
    """Count the alerts of each scheme's event, when the worker has read all that came in."""
    until = time.monotonic() + WAIT_SECONDS
    with closing(sqlite3.connect(service.database)) as db:
        while (
            time.monotonic() < until
            and db.execute("SELECT count(*) FROM intake WHERE finished_at IS NULL").fetchone()[0]
        ):
            time.sleep(0.2)
        return {scheme: _count(db, f"once-{scheme}-event") for scheme in TARGETS}


def _count(db: Any, name: str) -> int:
    """Count the occurrences of an event, whichever alerts they were counted with."""
    wanted = "SELECT coalesce(sum(occurrence_count), 0) FROM alerts WHERE instr(title || message, ?)"
    return int(db.execute(wanted, (name,)).fetchone()[0])


if __name__ == "__main__":
    sys.exit(main())
