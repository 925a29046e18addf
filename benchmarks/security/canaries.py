"""Secrets in every input of a running service; none may come out anywhere.

    python -m benchmarks.security.canaries [--quick] [--plant] [--postgresql URL]

Every input that bears a secret gets one that is used nowhere else: settings, headers, queries, bodies (good,
wrong, malformed), passwords, tokens, URLs with credentials, secrets of alert sources, analysed files; and
what the service makes and shows once (keys, tokens, codes) is remembered. All this is done with the log at
`debug`, then again while the database fails underneath (rows that make no sense, tables gone, the writer's
lock taken), so that there are tracebacks. Then the log, all answers but the one that shows a secret, the
metrics, the database (its files, and each table as text), the audit log, the OpenAPI document and what
commands print are searched, in plain text, hexadecimal and base64. No line may be forged into the log either.
Exit status 1 when anything is found. `--plant` puts one secret where it does not belong, which must be found.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from hashlib import sha1
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.security.canaries_search import Canaries, Found, postgresql_tables, search, sqlite_files
from benchmarks.service import SERVE, Service, free_port

ONCE = (
    "key",
    "signing_secret",
    "access_token",
    "refresh_token",
    "secret",
    "backup_codes",
    "client_secret",
    "ticket",
    "uri",
    "otpauth_uri",
)  # members of answers that show a secret this once
FORGED = "FORGED-LINE"
AUTH = "/api/v1/auth"
REACHED = tuple(
    f"to POST {target}: {status}"
    for target, status in (
        (f"{AUTH}/register", 201),
        (f"{AUTH}/login", 200),
        (f"{AUTH}/refresh", 200),
        (f"{AUTH}/mfa/verify", 200),
        (f"{AUTH}/password", 204),
        (f"{AUTH}/api-keys", 201),
        (f"{AUTH}/oauth-clients", 201),
        ("/oauth/token", 200),
        (f"{AUTH}/ws-ticket", 200),
        ("/api/v1/iris/sources", 201),
        ("/api/v1/iris/webhook/pagerduty", 202),
        ("/api/v1/analyze", 200),
        (f"{AUTH}/login", 503),
        ("/api/v1/iris/sources", 503),
    )
)
"""What must have been answered, so that this has seen what it is about."""
FAULTS = ("findings", "alerts", "intake", "sessions", "api_keys", "idempotency_keys", "outbox", "jobs")
# What the domain has no word for, so that it comes out as a traceback: a list that is a number.
NONSENSE = (
    "UPDATE users SET projects = '7'",
    "UPDATE projects SET service_names = '7', path_mappings = '7'",
)
SENSE = (
    "UPDATE users SET projects = NULL",
    "UPDATE projects SET service_names = '[]', path_mappings = '[]'",
)


class Visitor:
    """Talks to the service and remembers what it answers."""

    def __init__(self, port: int, canaries: Canaries) -> None:
        self._port = port
        self._canaries = canaries
        self.answers: dict[str, bytes] = {}
        self.statuses: Counter[int] = Counter()
        self.admin = ""

    def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request and return the answer's data; what it shows once is a secret from then on."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, target, content, {**given, **(headers or {})})
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.answers[f"{len(self.answers)} {method}"] = repr(type(error)).encode()
            return None
        finally:
            connection.close()
        told = _decoded(said)
        shown = self._shown_once(told) if answer.status in {200, 201} else []
        text = b"\n".join(
            (f"{name}: {value}".encode("latin-1", "replace") for name, value in answer.getheaders())
        )
        text += b"\n\n" + said
        for secret in shown:
            text = text.replace(secret.encode(), b"(shown once)")
        self.statuses[answer.status] += 1
        self.answers[
            f"answer {len(self.answers)} to {method} {target.partition('?')[0][:60]}: {answer.status}"
        ] = text
        return told.get("data", told) if isinstance(told, dict) else None

    def _shown_once(self, told: Any) -> list[str]:
        """Remember what an answer shows that nobody is to see again."""
        data = told.get("data", told) if isinstance(told, dict) else {}
        shown: dict[Any, str] = {}
        for name in ONCE:
            value = data.get(name) if isinstance(data, dict) else None
            shown |= dict.fromkeys(value if isinstance(value, list) else [value], name)
        return [
            self._canaries.add(f"a {name} that was shown", text)
            for text, name in shown.items()
            if isinstance(text, str) and text
        ]


def _decoded(said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return {}


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="does the same: it takes a minute")
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    parser.add_argument("--postgresql", default="", help="URL of an empty database; else SQLite")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hefesto-canaries-"))
    try:
        found, forged, told = _examined(folder, asked.postgresql, plant=asked.plant)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(told)
    for one in found[:40]:
        print(f"  {one.what} in {one.where}: {one.around}")
    for line in forged[:10]:
        print(f"  forged: {line!r}")
    print("no secret came out" if not found and not forged else "FAILED")
    return 1 if found or forged else 0


def _examined(folder: Path, url: str, *, plant: bool) -> tuple[list[Found], list[str], str]:
    """Do everything; return what was found, the forged lines, and what to say of it."""
    canaries = Canaries()
    root = _tree(folder, canaries)
    environ = _environ(canaries, url)
    service = Service(folder, root, SERVE, environ)
    places = _commands(folder, environ, service, canaries)
    visitor = Visitor(service.port, canaries)
    visitor.admin = canaries.add("the admin's key", _admin_key(folder, environ, service))
    service.start()
    try:
        _credentials(visitor, canaries)  # most of it is limited, by a Redis that is not there
    finally:
        service.stop()
    service.environ["HEFESTO_RATE_LIMITS"] = "off"
    service.start()
    try:
        _visit(visitor, canaries, root)
        places |= _told(visitor)
        _visit_with_faults(service, visitor, canaries, root, url)
    finally:
        service.stop()
    if plant:
        with (folder / "log").open("a") as log_file:
            log_file.write(canaries.made("planted"))
    log = service.log()
    places |= {"the log": log.encode("utf-8", "surrogateescape"), **visitor.answers}
    places |= postgresql_tables(url) if url else sqlite_files(service.database)
    forged = [line for line in log.splitlines() if line.lstrip().startswith(FORGED) or "\x1b" in line]
    told = (
        f"{len(canaries.by_text)} secrets, {len(visitor.answers)} answers ({_counted(visitor)}), "
        f"{log.count('Traceback')} tracebacks, {len(log)} characters of log, {len(places)} places"
    )
    forged += [
        f"{what} did not come about" for what in REACHED if not any(what in name for name in visitor.answers)
    ]
    if "Traceback" not in log:
        forged.append("no traceback came about: this did not see what they would show")
    return search(canaries, places), forged, told


def _counted(visitor: Visitor) -> str:
    return ", ".join(f"{count} of {status}" for status, count in sorted(visitor.statuses.items()))


def _tree(folder: Path, canaries: Canaries) -> Path:
    """Make a tree whose files hold secrets."""
    root = folder / "tree"
    root.mkdir()
    key, password, token = (canaries.made(f"source {name}") for name in ("key", "password", "token"))
    (root / "settings.py").write_text(
        f'API_KEY = "{key}"\nPASSWORD = "{password}"\nURL = "https://me:{token}@example.com/"\n'
    )
    (root / ".env").write_text(f"SECRET_TOKEN={token}\nDB_PASSWORD={password}\n")
    (root / "shop.py").write_text("def run(text):\n    return eval(text)\n")
    return root


def _environ(canaries: Canaries, url: str) -> dict[str, str]:
    """Return settings whose secrets are all canaries; what they name is mostly not there."""
    dead = f"127.0.0.1:{free_port()}"
    given = {
        "HEFESTO_SECRET_KEY": ",".join(
            canaries.made(f"setting {name}") + "0123456789" for name in ("secret key", "old key")
        ),
        "HEFESTO_LLM_KEY": canaries.made("setting llm key"),
        "HEFESTO_LLM_URL": f"http://me:{canaries.made('setting llm url')}@{dead}/v1",
        "HEFESTO_REDIS_URL": f"redis://:{canaries.made('setting redis')}@{dead}/0",
        "HEFESTO_BROKER_URL": f"amqp://me:{canaries.made('setting broker')}@{dead}//",
        "HEFESTO_BIGQUERY_URL": f"http://me:{canaries.made('setting bigquery')}@{dead}/",
        "HEFESTO_OIDC_ISSUER": f"http://{dead}",
        "HEFESTO_OIDC_CLIENT_ID": "hefesto",
        "HEFESTO_OIDC_CLIENT_SECRET": canaries.made("setting oidc"),
        "HEFESTO_PASWORD": canaries.made("setting mistyped"),
        "HEFESTO_AUTH": "required",
        "HEFESTO_REGISTRATION": "open",
        "HEFESTO_LOG_LEVEL": "debug",
        "HEFESTO_WORKERS": "1",
        "HEFESTO_WAIT_SECONDS": "5",
    }
    if url:
        parsed = sa.make_url(url).set(password=canaries.made("setting database"))
        given["HEFESTO_DATABASE_URL"] = parsed.render_as_string(hide_password=False)
    return given


def _run(folder: Path, environ: Mapping[str, str], *arguments: str) -> bytes:
    """Run a command and return what it prints."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        (sys.executable, "-m", "hefesto_api", *arguments),
        env={**kept, "XDG_CACHE_HOME": str(folder), **environ},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.stderr + done.stdout


def _admin_key(folder: Path, environ: Mapping[str, str], service: Service) -> str:
    url = {"HEFESTO_DATABASE_URL": f"sqlite:///{service.database}", **environ}
    return _run(folder, url, "keys", "create", "--name", "admin", "--role", "admin").split()[-1].decode()


def _commands(
    folder: Path, environ: Mapping[str, str], service: Service, canaries: Canaries
) -> dict[str, bytes]:
    """Run commands with secrets in settings that are wrong and addresses that do not answer."""
    ours = {"HEFESTO_DATABASE_URL": f"sqlite:///{service.database}", **environ}
    dead = f"127.0.0.1:{free_port()}"
    wrong = {
        "REDIS_URL": f"gopher://:{canaries.made('wrong redis')}@host",
        "DATABASE_URL": f"mysql://me:{canaries.made('wrong database')}@host/name",
        "SECRET_KEY": canaries.made("short")[:20],
        "LLM_URL": f"ftp://me:{canaries.made('wrong llm')}@host",
        "OIDC_ISSUER": f"ftp://me:{canaries.made('wrong issuer')}@host",
    }
    said = {
        f"command with a wrong {name}": _run(folder, {**ours, f"HEFESTO_{name}": value}, "db", "current")
        for name, value in wrong.items()
    }
    away = {**ours, "HEFESTO_DATABASE_URL": f"postgresql://me:{canaries.made('away database')}@{dead}/name"}
    said["db check of a database that is away"] = _run(folder, away, "db", "check")
    said["db upgrade of a database that is away"] = _run(folder, away, "db", "upgrade")
    push = {"HEFESTO_API_KEY": canaries.made("push key")}
    server = f"http://me:{canaries.made('push address')}@{dead}"
    said["push to a server that is away"] = _run(
        folder, push, "push", str(folder / "tree"), "--server", server
    )
    said["analyze"] = _run(folder, {}, "analyze", str(folder / "tree"), "--format", "json")
    said["db upgrade"] = _run(folder, ours, "db", "upgrade")
    said["rotate-secret"] = _run(folder, ours, "keys", "rotate-secret")
    return said


def _visit(visitor: Visitor, canaries: Canaries, root: Path) -> None:
    """Send a secret into every input that takes one."""
    _credentials(visitor, canaries)
    _accounts(visitor, canaries)
    _sources(visitor, canaries)
    _contents(visitor, canaries, root)
    _malformed(visitor, canaries)


def _credentials(visitor: Visitor, canaries: Canaries) -> None:
    """Show what is no credential, in every place where clients put one."""
    for what, header in (
        ("bearer", "Bearer {}"),
        ("key", "Bearer hef_{}"),
        ("token", "Bearer eyJhbGciOiJub25lIn0.{}.x"),
        ("odd scheme", "Token {}"),
        ("no scheme", "{}"),
    ):
        visitor.ask("GET", "/api/v1/findings", headers={"Authorization": header.format(canaries.made(what))})
    basic = base64.b64encode(f"me:{canaries.made('basic')}".encode()).decode()
    visitor.ask("GET", "/api/v1/findings", headers={"Authorization": f"Basic {basic}"})
    for name in (
        "X-API-Key",
        "Cookie",
        "Proxy-Authorization",
        "X-Auth-Token",
        "X-Signature",
        "X-Hub-Signature",
        "X-Webhook-Signature",
        "webhook-signature",
        "X-Forwarded-Access-Token",
        "Sentry-Hook-Signature",
    ):
        value = canaries.made(f"header {name}")
        visitor.ask("GET", "/api/v1/findings", headers={name: value})
        visitor.ask("POST", "/api/v1/iris/webhook", {"alert_id": "x"}, headers={name: value})
    for name in (
        "token",
        "api_key",
        "apikey",
        "access_token",
        "password",
        "secret",
        "client_secret",
        "code",
        "key",
        "signature",
        "X-Amz-Signature",
        "refresh_token",
        "totp",
        "state",
    ):
        value = canaries.made(f"query {name}")
        for path in (
            "/api/v1/findings",
            "/nowhere",
            "/api/v1/iris/webhook/rollbar",
            "/oauth/authorize",
            "/health",
        ):
            visitor.ask("GET" if path != "/api/v1/iris/webhook/rollbar" else "POST", f"{path}?{name}={value}")
    referer = f"https://example.com/?token={canaries.made('referer')}"
    visitor.ask("GET", "/api/v1/findings", headers={"Referer": referer})
    visitor.ask("GET", f"http://me:{canaries.made('absolute')}@127.0.0.1/api/v1/findings")
    visitor.ask("GET", f"/api/v1/auth/api-keys/{visitor.admin}")
    visitor.ask("GET", f"/{visitor.admin}")
    for text in (f"x\n{FORGED} a", f"x\r\n{FORGED} b", f"\x1b[31m{FORGED} c", f"\u2028{FORGED} d"):
        quoted = "".join(f"%{byte:02x}" for byte in text.encode())
        visitor.ask("GET", f"/nowhere/{quoted}?q={quoted}")
        visitor.ask("POST", f"{AUTH}/login", {"email": f"{text}@x.com", "password": text})
        visitor.ask("POST", "/api/v1/projects", {"slug": text, "name": text})
        visitor.ask("POST", "/api/v1/analyze", {"path": text})


def _accounts(visitor: Visitor, canaries: Canaries) -> None:
    """Register, log in and out, rightly and wrongly, with every kind of secret an account has."""
    password = canaries.made("password")
    person = {"email": "ada@example.com", "password": password}
    visitor.ask("POST", f"{AUTH}/register", person)
    visitor.ask("POST", f"{AUTH}/register", {"email": canaries.made("email by mistake"), "password": 1})
    visitor.ask(
        "POST", f"{AUTH}/register", {"email": "b@example.com", "password": canaries.made("pw")[:16] * 200}
    )
    visitor.ask("POST", f"{AUTH}/register", {**person, "pasword": canaries.made("mistyped field")})
    wrong: tuple[dict[str, Any], ...] = (
        {"password": canaries.made("wrong password")},
        {"totp": canaries.made("totp")},
        {"password": {canaries.made("password as a name"): 1}},
        {"password": [canaries.made("listed")]},
    )
    for more in wrong:
        visitor.ask("POST", f"{AUTH}/login", {**person, **more})
    issued = visitor.ask("POST", f"{AUTH}/login", person) or {}
    mine = {"Authorization": f"Bearer {issued.get('access_token')}"}
    visitor.ask("GET", f"{AUTH}/me", headers=mine)
    visitor.ask("POST", f"{AUTH}/ws-ticket", headers=mine)
    visitor.ask("POST", f"{AUTH}/refresh", {"refresh_token": canaries.made("refresh token")})
    visitor.ask("POST", f"{AUTH}/refresh", {"refresh_token": issued.get("refresh_token")})
    visitor.ask("POST", f"{AUTH}/refresh?refresh_token={canaries.made('token in the address')}")
    factor = visitor.ask("POST", f"{AUTH}/mfa/setup", {"password": password}, headers=mine) or {}
    visitor.ask("POST", f"{AUTH}/mfa/verify", {"totp": canaries.made("code")}, headers=mine)
    visitor.ask("POST", f"{AUTH}/mfa/verify", {"totp": _code_of(factor)}, headers=mine)
    change = {"current_password": canaries.made("current"), "new_password": canaries.made("new")}
    visitor.ask("POST", f"{AUTH}/password", change, headers=mine)
    visitor.ask("POST", f"{AUTH}/password", {**change, "current_password": password}, headers=mine)
    visitor.ask("POST", f"{AUTH}/logout", {"refresh_token": canaries.made("other session")}, headers=mine)
    wanted = {"name": "signer", "role": "viewer", "require_signature": True}
    key = visitor.ask("POST", f"{AUTH}/api-keys", wanted) or {}
    visitor.ask("POST", f"{AUTH}/api-keys/{key.get('id')}/rotate", {"grace_seconds": 60})
    visitor.ask(
        "POST",
        f"{AUTH}/users",
        {"email": "c@example.com", "role": "viewer", "password": canaries.made("given")},
    )
    client = (
        visitor.ask(
            "POST",
            f"{AUTH}/oauth-clients",
            {
                "name": "robot",
                "confidential": True,
                "grant_types": ["client_credentials"],
                "scopes": ["read:findings"],
            },
        )
        or {}
    )
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
    for secret in (canaries.made("client secret"), str(client.get("client_secret"))):
        body = f"grant_type=client_credentials&client_id={client.get('id')}&client_secret={secret}"
        visitor.ask("POST", "/oauth/token", body.encode(), headers=form)
    code, verifier = canaries.made("code"), canaries.made("verifier")
    body = f"grant_type=authorization_code&code={code}&code_verifier={verifier}"
    visitor.ask("POST", "/oauth/token", body.encode(), headers=form)
    visitor.ask("POST", "/oauth/revoke", f"token={canaries.made('revoked')}".encode(), headers=form)
    visitor.ask("POST", "/oauth/introspect", f"token={canaries.made('introspected')}".encode(), headers=form)


def _code_of(factor: Mapping[str, Any]) -> str:
    """Return the one-time code of a factor that is being set up (RFC 6238)."""
    secret = str(factor.get("secret", ""))
    if not secret:
        return "000000"
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, int(time.time() // 30).to_bytes(8, "big"), sha1)
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def _sources(visitor: Visitor, canaries: Canaries) -> None:
    """Configure sources, and send to them with right and wrong secrets."""
    made = {}
    for source in ("native", "sentry", "rollbar", "pagerduty", "alertmanager"):
        secret = made[source] = canaries.made(f"secret of {source}")
        told = visitor.ask(
            "POST", "/api/v1/iris/sources", {"source": source, "project": "shop", "secret": secret}
        )
        place = f"/api/v1/iris/sources/{(told or {}).get('id')}"
        visitor.ask("PATCH", place, {"secret": "short", "token": canaries.made("both")})
        visitor.ask("GET", place)
    visitor.ask("POST", "/api/v1/iris/sources", {"source": "none", "secret": canaries.made("of no source")})
    visitor.ask("POST", "/api/v1/iris/sources", {"source": "otlp", "sekret": canaries.made("mistyped")})
    event = {
        "event_action": "trigger",
        "dedup_key": "1",
        "payload": {"summary": "x", "severity": "error", "source": "s"},
    }
    for key in (made["pagerduty"], canaries.made("wrong routing key")):
        visitor.ask("POST", "/api/v1/iris/webhook/pagerduty", {**event, "routing_key": key})
    for token in (made["rollbar"], canaries.made("wrong token")):
        visitor.ask("POST", f"/api/v1/iris/webhook/rollbar?token={token}", {"event_name": "x", "data": {}})
    for token in (made["alertmanager"], canaries.made("wrong bearer")):
        alerts = {"alerts": [{"status": "firing", "labels": {"alertname": "x"}}]}
        visitor.ask(
            "POST", "/api/v1/iris/webhook/alertmanager", alerts, headers={"Authorization": f"Bearer {token}"}
        )


def _contents(visitor: Visitor, canaries: Canaries, root: Path) -> None:
    """Analyse files with secrets, and name things by URLs with credentials."""
    visitor.ask("POST", "/api/v1/analyze", {"path": str(root), "severity_threshold": "LOW"})
    visitor.ask("GET", "/api/v1/findings?limit=100&status=all")
    for what, body in (
        ("analyze", {"path": "https://me:{}@example.com/repo.git"}),
        ("analyze", {"path": "postgresql://me:{}@db/name"}),
    ):
        text = json.dumps(body).replace("{}", canaries.made("path"), 1)
        visitor.ask("POST", f"/api/v1/{what}", text.encode())
    links = {
        "alert_id": "linked",
        "alert_type": "error",
        "timestamp": "2026-01-01T10:00:00Z",
        "payload": {"error_type": "KeyError", "error_message": "x", "service_name": "shop"},
    }
    visitor.ask("POST", "/api/v1/alerts", links)
    for origin in (f"https://me:{canaries.made('origin')}@evil.example", canaries.made("odd origin")):
        visitor.ask(
            "OPTIONS", "/api/v1/findings", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
        )


def _malformed(visitor: Visitor, canaries: Canaries) -> None:
    """Send bodies that break off, or are of another form, right where the secret is."""
    for target in (
        f"{AUTH}/login",
        f"{AUTH}/register",
        f"{AUTH}/refresh",
        "/api/v1/iris/sources",
        f"{AUTH}/password",
        f"{AUTH}/mfa/verify",
        f"{AUTH}/api-keys",
        "/api/v1/projects",
        f"{AUTH}/users",
        f"{AUTH}/oauth-clients",
        "/oauth/token",
        "/api/v1/analyze",
    ):
        for form in (
            '{{"password": "{}',
            '{{"secret": "{}"',
            '{{"secret": {}}}',
            '{{"password": "{}\x00"}}',
            "{}",
            '"{}"',
            '["{}"]',
            '{{"password": "{}", "password": 1}}',
            '{{"secret": "\ud800{}"}}',
            '{{"a": {{"password": "{}"}}}}',
            "password={}&secret={}",
        ):
            text = form.replace("{{", "{").replace("}}", "}").replace("{}", canaries.made("malformed"))
            visitor.ask("POST", target, text.encode("utf-8", "surrogatepass"))
    xml = f"<password>{canaries.made('xml')}</password>".encode()
    visitor.ask("POST", f"{AUTH}/login", xml, headers={"Content-Type": "application/xml"})
    visitor.ask("POST", f"{AUTH}/login", xml, headers={"Content-Encoding": "gzip"})


def _told(visitor: Visitor) -> dict[str, bytes]:
    """Ask for everything in which the service tells of itself; the answers are kept as all others."""
    for target in (
        "/metrics",
        "/api/v1/config",
        "/api/v1/system/info",
        "/openapi.json",
        "/health/deep",
        "/api/v1/audit-logs?limit=100",
        "/api/v1/audit-logs/verify",
        "/api/v1/system/jobs",
        f"{AUTH}/users",
        f"{AUTH}/api-keys",
        f"{AUTH}/oauth-clients",
        "/api/v1/iris/sources",
        "/api/v1/alerts",
        "/docs",
    ):
        visitor.ask("GET", target)
    return {}


def _visit_with_faults(service: Service, visitor: Visitor, canaries: Canaries, root: Path, url: str) -> None:
    """Do it all again while the database fails, so that errors are written down with their traces."""
    if url:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in NONSENSE:
                connection.execute(sa.text(statement))
        _visit(visitor, canaries, root)
        with engine.begin() as connection:
            for statement in SENSE:
                connection.execute(sa.text(statement))
            for name in FAULTS:
                connection.execute(sa.text(f"ALTER TABLE {name} RENAME TO {name}_gone"))
        engine.dispose()
        _visit(visitor, canaries, root)
        return
    with closing(sqlite3.connect(service.database, isolation_level=None)) as db:
        for statement in NONSENSE:
            db.execute(statement)
        _accounts(visitor, canaries)
        _sources(visitor, canaries)
        _contents(visitor, canaries, root)
        for statement in SENSE:
            db.execute(statement)
        for name in FAULTS:
            db.execute(f"ALTER TABLE {name} RENAME TO {name}_gone")
        _accounts(visitor, canaries)
        _sources(visitor, canaries)
        _contents(visitor, canaries, root)
        for name in FAULTS:
            db.execute(f"ALTER TABLE {name}_gone RENAME TO {name}")
        db.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'made to fail'); END"
        )
        db.execute(
            "CREATE TRIGGER fails_too BEFORE INSERT ON alert_sources BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
        _sources(visitor, canaries)
        _accounts(visitor, canaries)
        db.execute("BEGIN IMMEDIATE")
        person = {"email": "late@example.com", "password": canaries.made("password of who waits")}
        visitor.ask("POST", f"{AUTH}/register", person)
        db.execute("ROLLBACK")


if __name__ == "__main__":
    sys.exit(main())
