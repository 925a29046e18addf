"""Signed requests: nothing that was changed, is old or was sent before is let in, and nothing fails at it."""

from __future__ import annotations

import gzip
import hmac
import os
import random
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.features.auth import key_signing
from hefesto_api.storage import api_keys, signing_secrets
from hefesto_api.web import signatures
from tests.access import required_service  # noqa: F401 - fixture
from tests.answers import data_of, error_of
from tests.features.conftest import make_service, sqlite_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from datetime import datetime

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

URL = "/api/v1/projects"
KEYS = "/api/v1/auth/api-keys"
ROOT = Path(__file__).parents[2]


class Signer:
    """A client with a key that must sign."""

    def __init__(self, service: Service) -> None:
        self.service = service
        key = texts.new_key()
        held = service.runtime
        with held.db.write() as session:
            api_keys.create(
                session,
                "signer",
                texts.digest(key),
                texts.hint(key),
                created_by="tests",
                role="admin",
                tier="enterprise",
                require_signature=True,
            )
            self.secret = key_signing.add(session, held.vault, texts.digest(key))
        self.key = key
        self.number = 0

    def headers(
        self, method: str, target: str, content: bytes = b"", *, at: float | str | None = None
    ) -> dict[str, str]:
        """Return the headers of a request; each is signed for another fraction of a second."""
        self.number += 1
        moment = f"{clock.now().timestamp() + self.number / 1e6:.6f}" if at is None else str(at)
        signed = f"{method}\n{target}\n{moment}\n{sha256(content).hexdigest()}".encode()
        return {
            "Authorization": f"Bearer {self.key}",
            "X-Signature-Timestamp": moment,
            "X-Signature": "sha256=" + hmac.digest(self.secret.encode(), signed, sha256).hex(),
        }

    def send(
        self, method: str, target: str, content: bytes = b"", *, headers: dict[str, str] | None = None
    ) -> TestResponse:
        """Send what is signed, or what other headers say."""
        given = self.headers(method, target, content) if headers is None else headers
        kind = "application/json" if content else None
        return self.service.client.open(
            target, method=method, data=content or None, content_type=kind, headers=given
        )


@pytest.fixture
def signer(required_service: Service) -> Signer:  # noqa: F811 - that fixture
    """A client of a service that asks for credentials."""
    return Signer(required_service)


def reason_of(answer: TestResponse) -> str:
    assert answer.status_code == 401, answer.get_data(as_text=True)
    assert "WWW-Authenticate" in answer.headers
    reason: str = error_of(answer, "INVALID_SIGNATURE")["reason"]
    return reason


def test_what_is_signed_is_let_in(signer: Signer) -> None:
    assert signer.send("GET", URL).status_code == 200
    assert signer.send("GET", f"{URL}?limit=5&sort=slug%20").status_code in {200, 422}
    body = orjson.dumps({"slug": "shop", "name": "Ein Lädchen"})
    assert signer.send("POST", URL, body).status_code == 201
    assert signer.send("PATCH", f"{URL}/shop", b'{"name": "Shop"}').status_code == 200


def test_a_key_that_must_sign_is_nothing_without_a_signature(signer: Signer) -> None:
    given = {"Authorization": f"Bearer {signer.key}"}
    for method, target in (("GET", URL), ("POST", URL), ("POST", "/api/v1/iris/webhook"), ("GET", KEYS)):
        assert reason_of(signer.send(method, target, headers=given)) == "missing"
    given["X-Signature-Timestamp"] = "1"
    assert reason_of(signer.send("GET", URL, headers=given)) == "missing"


def test_other_keys_need_not_sign(signer: Signer) -> None:
    wanted = {"name": "plain", "role": "viewer"}
    plain = data_of(signer.send("POST", KEYS, orjson.dumps(wanted)))
    assert "signing_secret" not in plain
    answer = signer.service.client.get(URL, headers={"Authorization": f"Bearer {plain['key']}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "DELETE"},
        {"target": "/api/v1/projects/other"},
        {"target": "/api/v1/projects?limit=1"},
        {"target": "/api/v1/projects?"},
        {"content": b'{"slug": "evil"}'},
        {"content": b""},
        {"at": "0"},
        {"secret": "another"},
    ],
    ids=str,
)
def test_a_signature_is_for_one_request_alone(signer: Signer, changed: dict[str, Any]) -> None:
    content = b'{"slug": "shop"}'
    signed = {"method": "POST", "target": URL, "content": content, **changed}
    if "secret" in signed:
        signer.secret = signed.pop("secret")
    expected = "stale" if signed.get("at") == "0" else "wrong"
    given = signer.headers(**signed)
    assert reason_of(signer.send("POST", URL, content, headers=given)) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Signature", "x"),
        ("X-Signature", "sha256="),
        ("X-Signature", "sha256=" + "0" * 63),
        ("X-Signature", "sha256=" + "0" * 65),
        ("X-Signature", "sha256=" + "g" * 64),
        ("X-Signature", "sha1=" + "0" * 64),
        ("X-Signature", "sha256=" + "é" * 64),
        ("X-Signature", "sha256=" + "٣" * 32),
        ("X-Signature", "sha256=" + "0" * 64 + ", sha256=" + "0" * 64),
        ("X-Signature-Timestamp", "now"),
        ("X-Signature-Timestamp", "-1"),
        ("X-Signature-Timestamp", "1e9"),
        ("X-Signature-Timestamp", "nan"),
        ("X-Signature-Timestamp", "9" * 5000),
        ("X-Signature-Timestamp", "1.2.3"),
        ("X-Signature-Timestamp", "١٧٣٢"),
        ("X-Signature-Timestamp", "1732212345é"),
    ],
)
def test_what_is_no_signature_is_refused_in_the_same_way(signer: Signer, name: str, value: str) -> None:
    given = signer.headers("GET", URL)
    given[name] = value.encode().decode("latin-1")
    assert reason_of(signer.send("GET", URL, headers=given)) == "malformed"


@pytest.mark.parametrize(("seconds", "is_let_in"), [(-301, False), (-298, True), (298, True), (301, False)])
def test_a_signature_is_good_for_five_minutes(signer: Signer, seconds: int, is_let_in: bool) -> None:
    moment = int(clock.now().timestamp()) + seconds
    answer = signer.send("GET", URL, headers=signer.headers("GET", URL, at=moment))
    if is_let_in:
        assert answer.status_code == 200
    else:
        assert reason_of(answer) == "stale"


def test_a_request_is_good_once(signer: Signer) -> None:
    given = signer.headers("GET", URL)
    assert signer.send("GET", URL, headers=given).status_code == 200
    assert reason_of(signer.send("GET", URL, headers=given)) == "replayed"
    given["X-Signature"] = given["X-Signature"].replace("sha256=", "").upper()
    given["X-Signature"] = f"sha256={given['X-Signature']}"
    assert reason_of(signer.send("GET", URL, headers=given)) == "replayed"


def test_of_many_at_once_one_is_let_in(signer: Signer) -> None:
    given = signer.headers("GET", URL)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: signer.send("GET", URL, headers=given), range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 23


def test_a_replay_is_refused_by_every_process(signer: Signer) -> None:
    given = signer.headers("GET", URL)
    assert signer.send("GET", URL, headers=given).status_code == 200
    code = """
        import sys
        from pathlib import Path
        from hefesto_api import runtime, settings
        from hefesto_api.app import create_app
        held = runtime.build(settings.load(eval(sys.argv[1]), Path.cwd()))
        answer = create_app(runtime=held).test_client().get(sys.argv[2], headers=eval(sys.argv[3]))
        print(answer.status_code, answer.get_json()["error"]["details"].get("reason"))
        held.close()
    """
    kept = signer.service.runtime.settings
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_DATABASE_URL": kept.database_url,
        "HEFESTO_SECRET_KEY": ",".join(kept.secret_key),
    }
    argv = [sys.executable, "-c", textwrap.dedent(code), repr(environ), URL, repr(given)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip().endswith("\n401 replayed"), done.stderr


def test_what_was_seen_is_forgotten_when_it_is_stale(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    started = clock.now()
    given = signer.headers("GET", URL)
    assert signer.send("GET", URL, headers=given).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: started + 2 * signatures.WINDOW)
    assert reason_of(signer.send("GET", URL, headers=given)) == "stale"
    assert signer.send("GET", URL).status_code == 200
    with signer.service.runtime.db.read() as session:
        seen = session.execute(signing_secrets.seen_signatures.select()).all()
    assert len(seen) == 1


def test_a_large_body_is_compared_and_handed_on_whole(signer: Signer) -> None:
    content = orjson.dumps({"path": "x" * 3_000_000})
    assert signer.send("POST", "/api/v1/analyze", content).status_code in {400, 422}
    changed = content.replace(b"x", b"y", 1)
    given = signer.headers("POST", "/api/v1/analyze", content)
    assert reason_of(signer.send("POST", "/api/v1/analyze", changed, headers=given)) == "wrong"


def test_a_packed_body_is_signed_as_it_is_sent(signer: Signer) -> None:
    packed = gzip.compress(b'{"slug": "packed"}')
    given = signer.headers("POST", URL, packed) | {"Content-Encoding": "gzip"}
    answer = signer.send("POST", URL, packed, headers=given)
    assert answer.status_code == 201, answer.get_json()


def test_a_body_with_an_idempotency_key_is_handed_on(signer: Signer) -> None:
    content = b'{"source": "sentry", "secret": "a secret of sixteen characters"}'
    place = "/api/v1/iris/sources"
    first, again = (
        signer.send(
            "POST", place, content, headers={**signer.headers("POST", place, content), "Idempotency-Key": "1"}
        )
        for _ in range(2)
    )
    assert first.status_code == again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_body_over_the_limit_is_refused_before_it_is_read(signer: Signer) -> None:
    answer = signer.service.client.open(
        URL,
        method="POST",
        headers=signer.headers("POST", URL),
        environ_overrides={"CONTENT_LENGTH": str(10**15)},
    )
    assert answer.status_code == 413


def test_a_signing_secret_is_shown_once_and_kept_sealed(signer: Signer) -> None:
    wanted = orjson.dumps({"name": "another", "role": "viewer", "require_signature": True})
    made = data_of(signer.send("POST", KEYS, wanted))
    other = Signer(signer.service)
    other.key, other.secret = made["key"], made["signing_secret"]
    assert other.send("GET", URL).status_code == 200
    shown = signer.send("GET", f"{KEYS}/{made['id']}").get_data(as_text=True)
    listed = signer.send("GET", KEYS).get_data(as_text=True)
    assert made["signing_secret"] not in shown + listed
    database = str(signer.service.runtime.db.url.database)
    files = [Path(database), *Path(database).parent.glob("*-wal")]
    stored = b"".join(path.read_bytes() for path in files)
    assert made["signing_secret"].encode() not in stored


def test_a_rotated_key_signs_with_a_new_secret_and_for_a_while_with_the_old(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = orjson.dumps({"name": "another", "role": "viewer", "require_signature": True})
    made = data_of(signer.send("POST", KEYS, wanted))
    former, latter = Signer(signer.service), Signer(signer.service)
    former.key, former.secret = made["key"], made["signing_secret"]
    rotated = data_of(signer.send("POST", f"{KEYS}/{made['id']}/rotate", b'{"grace_seconds": 60}'))
    latter.key, latter.secret = rotated["key"], rotated["signing_secret"]
    assert latter.secret != former.secret
    assert former.send("GET", URL).status_code == latter.send("GET", URL).status_code == 200
    later: datetime = clock.now() + signatures.WINDOW
    monkeypatch.setattr(clock, "now", lambda: later)
    former.key = latter.key
    assert reason_of(former.send("GET", URL)) == "wrong"
    assert latter.send("GET", URL).status_code == 200


def test_mutations_of_a_signed_request_are_refused(signer: Signer) -> None:
    chance = random.Random(4711)  # noqa: S311 - the same mutations in every run
    content = b'{"slug": "shop"}'
    for _ in range(60):
        given = signer.headers("POST", URL, content)
        name = chance.choice(["X-Signature", "X-Signature-Timestamp"])
        place = chance.randrange(len(given[name]))
        given[name] = given[name][:place] + chance.choice("0123456789abcdef=.") + given[name][place + 1 :]
        if given == signer.headers("POST", URL, content, at=given["X-Signature-Timestamp"]):
            continue
        assert reason_of(signer.send("POST", URL, content, headers=given)) in {"wrong", "stale", "malformed"}


def python_recipe() -> str:
    """Return the client that the page on secrets shows."""
    page = (ROOT / "docs" / "secrets.md").read_text()
    return page.split("```python", 1)[1].split("```", 1)[0]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_the_shell_recipe_of_the_page_signs_as_the_service_checks(signer: Signer, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "secrets.md").read_text()
    script = page.split("```bash", 1)[1].split("```", 1)[0].replace("curl -sS", "show")
    shown = 'show() { printf "%s\\n" "$@"; }\n'
    done = subprocess.run(
        ["bash", "-euc", shown + script],
        env={"PATH": os.environ["PATH"], "KEY": signer.key, "SECRET": signer.secret, "BASE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    given = dict(
        line.split(": ", 1) for line in done.stdout.splitlines() if line[0].isupper() and ": " in line
    )
    assert signer.send("POST", URL, b'{"slug": "shop"}', headers=given).status_code == 201


def test_the_client_of_the_page_signs_as_the_service_checks(signer: Signer) -> None:
    named: dict[str, Any] = {}
    exec(compile(python_recipe(), "docs/secrets.md", "exec"), named)  # noqa: S102 - our own page
    given = named["signed"](signer.key, signer.secret, "POST", URL, b'{"slug": "recipe"}')
    assert signer.send("POST", URL, b'{"slug": "recipe"}', headers=given).status_code == 201
