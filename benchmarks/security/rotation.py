"""Kill the rotation of secrets again and again; every secret must stay readable, and none be forgotten.

    python -m benchmarks.security.rotation [--quick] [--rows 10000] [--kills 20] [--database URL] [--seed N]

Fills a database with secrets of one key (alert sources, second factors, signing secrets, kept keys). Then it
runs `hefesto keys rotate-secret` with a new key in front and kills it with SIGKILL at a random moment of its
work, while somebody goes on changing secrets as the service would. After each kill every secret must be
readable with the two keys, and the old key must not be called needless before the work is done. At the end
every secret must be readable with the new key alone. Exit status 1 otherwise. `--plant` puts one secret where
it does not belong, which must be found: that shows that this would find a lost one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from hefesto_api.adapters.secrets import SecretUnreadable, Vault
from hefesto_api.domain import clock, ids
from hefesto_api.storage import api_keys, migrate, projects, resealing, secret_keys, users
from hefesto_api.storage.alert_sources import alert_sources
from hefesto_api.storage.base import Session
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.sealed import SealedColumn, columns
from hefesto_api.storage.second_factors import second_factors
from hefesto_api.storage.signing_secrets import signing_secrets

OLD, NEW = "the old key of this benchmark: 0123456789", "the new key of this benchmark: 9876543210"
ARGV = (sys.executable, "-m", "hefesto_api", "keys", "rotate-secret")
ROWS_AT_ONCE = 500


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 rows and 5 kills")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    parser.add_argument("--database", help="of PostgreSQL, empty; else a new one of SQLite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    rows, kills = (1_000, 5) if asked.quick else (asked.rows, asked.kills)
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    folder = Path(tempfile.mkdtemp(prefix="hefesto-rotation-"))
    db = open_database(asked.database or f"sqlite:///{folder / 'hefesto.db'}", patience=30)
    try:
        migrate.upgrade(db)
        _fill(db, Vault([OLD]), rows)
        if asked.plant:
            _plant(db)
        faults = _torture(db, folder, rows, kills, chance)
    finally:
        db.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"seed {asked.seed}:", "nothing undecryptable, nothing forgotten" if not faults else "FAILED")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


def _torture(db: Database, folder: Path, rows: int, kills: int, chance: random.Random) -> list[str]:
    both, new = Vault([NEW, OLD]), Vault([NEW])
    began, faults, killed = time.monotonic(), [], 0
    with _service_at_work(db, both):
        for number in range(kills):
            done, said = _killed(db, folder, both, rows // (kills + 1), chance)
            killed += done
            unreadable = _unreadable(db, both)
            faults += [f"kill {number}: {count} of {name} unreadable" for name, count in unreadable.items()]
            left = resealing.to_do(db, both)
            if left and b"may be removed" in said:
                faults.append(f"kill {number}: the old key was called needless with {left} secrets left")
    last = subprocess.run(ARGV, env=_environ(db), cwd=folder, capture_output=True, check=False)
    faults += [f"{count} of {name} need the old key" for name, count in _unreadable(db, new).items()]
    if last.returncode or b"may be removed" not in last.stdout:
        faults.append(f"the last run ended with {last.returncode}: {(last.stdout + last.stderr).decode()}")
    if killed < kills:
        faults.append(f"only {killed} of {kills} kills struck a rotation at work")
    with db.read() as session:
        total = sum(secret_keys.in_use(session).values())
    print(
        f"{total} secrets, {killed} SIGKILLs at work, {time.monotonic() - began:.0f} s, "
        f"load {os.getloadavg()[0]:.1f}: {sum(_unreadable(db, new).values())} undecryptable"
    )
    return faults


def _killed(db: Database, folder: Path, vault: Vault, step: int, chance: random.Random) -> tuple[bool, bytes]:
    """Kill a rotation within its next so many secrets; return whether it was at work, and its words."""
    before = resealing.to_do(db, vault)
    until = before - chance.randrange(1, max(step, 2))
    with subprocess.Popen(
        ARGV, env=_environ(db), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        while running.poll() is None and resealing.to_do(db, vault) > until:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.01))  # anywhere between two transactions, or within one
        at_work = running.poll() is None
        running.send_signal(signal.SIGKILL)
        assert running.stdout is not None
        return at_work, running.stdout.read()


@contextmanager
def _service_at_work(db: Database, vault: Vault) -> Iterator[None]:
    """Change a secret now and then, with the new setting, as a running service would."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.05):
            with db.write() as session:
                row = session.execute(
                    sa.select(alert_sources.c.id).order_by(sa.func.random()).limit(1)
                ).scalar_one()
                text = vault.encrypt(b"changed", purpose="alert source", row=row)
                session.execute(sa.update(alert_sources).where(alert_sources.c.id == row).values(secret=text))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def _environ(db: Database) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    url = db.url.render_as_string(hide_password=False)
    return kept | {"HEFESTO_DATABASE_URL": url, "HEFESTO_SECRET_KEY": f"{NEW},{OLD}"}


def _unreadable(db: Database, vault: Vault) -> dict[str, int]:
    """Count the secrets of each column that the keys at hand do not read."""
    found = {column.name: _unreadable_in(db, vault, column) for column in columns()}
    return {name: count for name, count in found.items() if count}


def _unreadable_in(db: Database, vault: Vault, column: SealedColumn) -> int:
    count = 0
    wanted = sa.select(column.row.label("row"), column.column.label("text")).where(column.column.is_not(None))
    with db.read() as session:
        for row in session.execute(wanted).all():
            try:
                vault.decrypt(row.text, purpose=column.kind.purpose, row=row.row)
            except SecretUnreadable:
                count += 1
    return count


def _plant(db: Database) -> None:
    """Give one source the secret of another."""
    with db.write() as session:
        one, other = session.execute(sa.select(alert_sources.c.id, alert_sources.c.secret).limit(2)).all()
        session.execute(
            sa.update(alert_sources).where(alert_sources.c.id == one.id).values(secret=other.secret)
        )


def _fill(db: Database, vault: Vault, rows: int) -> None:
    """Make so many secrets: mostly alert sources, the others a tenth each."""
    secret_keys.admit(db, vault.key_ids)
    secret_keys.kept(db, vault, "benchmark")
    tenth = rows // 10
    for start in range(0, rows - 2 * tenth, ROWS_AT_ONCE):
        with db.write() as session:
            _add_sources(session, vault, min(ROWS_AT_ONCE, rows - 2 * tenth - start))
    for start in range(0, tenth, ROWS_AT_ONCE):
        with db.write() as session:
            for _ in range(min(ROWS_AT_ONCE, tenth - start)):
                _add_user(session, vault)


def _add_sources(session: Session, vault: Vault, count: int) -> None:
    now = clock.now()
    made = []
    for _ in range(count):
        row = ids.new_id()
        project_id = projects.ensure(session, row).id
        made.append(
            {"id": row, "source": "sentry", "project_id": project_id, "kind": "secret", "created_at": now,
             "updated_at": now, "secret": vault.encrypt(b"a secret", purpose="alert source", row=row)}
        )  # fmt: skip
    session.execute(sa.insert(alert_sources), made)


def _add_user(session: Session, vault: Vault) -> None:
    now = clock.now()
    user = users.create(session, f"{ids.new_id()}@example.com", role="viewer")
    seed = vault.encrypt(b"a seed", purpose="totp", row=user.id)
    factor = {"user_id": user.id, "sealed": seed, "salt": b"salt", "created_at": now, "last_step": 0}
    session.execute(sa.insert(second_factors), factor)
    key_hash = ids.new_id()
    api_keys.create(session, "key", key_hash, "hef_", created_by="benchmark", role="viewer")
    text = vault.encrypt(b"a signing secret", purpose="request signing", row=key_hash)
    session.execute(sa.insert(signing_secrets), {"key_hash": key_hash, "secret": text, "created_at": now})


if __name__ == "__main__":
    sys.exit(main())
