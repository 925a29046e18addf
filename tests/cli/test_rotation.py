"""`hefesto keys rotate-secret`: nothing gets lost, and no key is called needless that is needed."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hefesto_api.adapters import key_file
from hefesto_api.adapters.secrets import Vault, open_vault
from hefesto_api.domain import ids
from hefesto_api.settings import load
from hefesto_api.storage import alert_sources, migrate, projects, resealing, secret_keys
from hefesto_api.storage.database import Database, open_database
from tests.cli.conftest import argv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Hefesto

OLD, NEW, OTHER = (f"the {name} key that is long enough for the settings" for name in ("old", "new", "other"))
BOTH = f"{NEW},{OLD}"
ROTATE = ("keys", "rotate-secret")


@pytest.fixture
def db(tree: Path) -> Iterator[Database]:
    """The database of the installation in the tree."""
    opened = open_database(f"sqlite:///{tree / 'instance' / 'hefesto.db'}")
    migrate.upgrade(opened)
    yield opened
    opened.close()


def add_sources(db: Database, vault: Vault, count: int) -> list[str]:
    """Configure sources, each of a project of its own."""
    secret_keys.admit(db, vault.key_ids)
    made = []
    with db.write() as session:
        for _ in range(count):
            source_id = ids.new_id()
            secret = vault.encrypt(b"hush", purpose=alert_sources.PURPOSE, row=source_id)
            project = projects.ensure(session, source_id)
            alert_sources.create(session, "sentry", project.id, secret, "secret", source_id=source_id)
            made.append(source_id)
    return made


def are_readable(db: Database, vault: Vault) -> bool:
    with db.read() as session:
        found, _ = alert_sources.page(session, project_ids=None, limit=10_000)
    secrets = {vault.decrypt(one.secret, purpose=alert_sources.PURPOSE, row=one.id) for one in found}
    return secrets == {b"hush"}


def test_it_says_which_key_may_be_removed(hefesto: Hefesto, db: Database) -> None:
    add_sources(db, Vault([OLD]), 3)
    done = hefesto(*ROTATE, HEFESTO_SECRET_KEY=BOTH)
    assert done.returncode == 0, done.stderr
    assert f"with the key {Vault([NEW]).key_ids[0]}" in done.stdout
    assert "Key 2 of HEFESTO_SECRET_KEY" in done.stdout
    assert "may be removed" in done.stdout
    assert are_readable(db, Vault([NEW]))
    assert not {OLD, NEW} & set((done.stdout + done.stderr).replace(",", "\n").splitlines())
    again = hefesto(*ROTATE, HEFESTO_SECRET_KEY=NEW)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("0 secrets")


def test_a_key_that_rows_need_is_never_said_to_be_needless(hefesto: Hefesto, db: Database) -> None:
    source, *_ = add_sources(db, Vault([OLD]), 3)
    damaged = Vault([OLD]).encrypt(b"hush", purpose="another purpose")
    with db.write() as session:
        alert_sources.change(session, source, secret=damaged)
    done = hefesto(*ROTATE, HEFESTO_SECRET_KEY=BOTH)
    assert done.returncode == 1
    assert "1 in alert_sources.secret cannot be read" in done.stderr
    assert "is still needed" in done.stderr
    assert "may be removed" not in done.stdout


def test_without_the_old_key_nothing_is_touched(hefesto: Hefesto, db: Database) -> None:
    add_sources(db, Vault([OLD]), 3)
    for command in (ROTATE, ("serve", "--port", "0")):
        done = hefesto(*command, HEFESTO_SECRET_KEY=NEW)
        assert done.returncode == 2
        assert Vault([OLD]).key_ids[0] in done.stderr
        assert "HEFESTO_SECRET_KEY=new,old" in done.stderr
    assert are_readable(db, Vault([OLD]))


def test_from_the_key_file_to_a_setting(hefesto: Hefesto, db: Database, tree: Path) -> None:
    path = tree / "instance" / key_file.NAME
    add_sources(db, open_vault(load({}, tree)), 3)
    done = hefesto(*ROTATE, HEFESTO_SECRET_KEY=NEW)
    assert done.returncode == 0, done.stderr
    assert "The key file beside the database" in done.stdout
    path.unlink()
    assert hefesto(*ROTATE, HEFESTO_SECRET_KEY=NEW).returncode == 0
    assert are_readable(db, Vault([NEW]))


def test_a_lost_key_is_given_up_when_that_is_confirmed(hefesto: Hefesto, db: Database) -> None:
    lost = Vault([OTHER]).key_ids[0]
    add_sources(db, Vault([OTHER]), 2)
    assert hefesto(*ROTATE, "--lost", "0" * 16, HEFESTO_SECRET_KEY=NEW).returncode == 2
    assert hefesto(*ROTATE, "--lost", lost, HEFESTO_SECRET_KEY=OTHER).returncode == 2
    assert hefesto(*ROTATE, "--lost", lost, HEFESTO_SECRET_KEY=NEW).returncode == 1  # nobody says yes
    assert hefesto(*ROTATE, HEFESTO_SECRET_KEY=NEW).returncode == 2
    done = hefesto(*ROTATE, "--lost", lost, "--yes", HEFESTO_SECRET_KEY=NEW)
    assert "Given up: 2 in alert_sources.secret" in done.stdout
    assert done.returncode == 1
    assert hefesto(*ROTATE, HEFESTO_SECRET_KEY=NEW).returncode == 1
    assert are_readable(db, Vault([OTHER]))


def test_a_rotation_is_in_the_audit_log(hefesto: Hefesto, db: Database) -> None:
    add_sources(db, Vault([OLD]), 3)
    hefesto(*ROTATE, HEFESTO_SECRET_KEY=BOTH)
    with db.read() as session:
        actions = session.execute(sa.text("SELECT action FROM audit_logs")).scalars().all()
    assert actions == ["secrets.resealed"]


def test_killed_at_any_step_it_goes_on(environ: dict[str, str], tree: Path, db: Database) -> None:
    add_sources(db, Vault([OLD]), resealing.BATCH * 4)
    vault = Vault([NEW, OLD])
    environ |= {"HEFESTO_SECRET_KEY": BOTH}
    begun = resealing.to_do(db, vault)
    for _ in range(3):
        with subprocess.Popen(argv(*ROTATE), cwd=tree, env=environ, stdout=subprocess.DEVNULL) as running:
            left = begun
            while left == begun and running.poll() is None:
                left = resealing.to_do(db, vault)
            running.send_signal(signal.SIGKILL)
        begun = resealing.to_do(db, vault)
        assert are_readable(db, vault)
    done = subprocess.run(argv(*ROTATE), cwd=tree, env=environ, check=False, capture_output=True)
    assert done.returncode == 0
    assert are_readable(db, Vault([NEW]))


def test_a_terminal_sees_how_far_it_is(environ: dict[str, str], tree: Path, db: Database) -> None:
    add_sources(db, Vault([OLD]), 3)
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            argv(*ROTATE),
            cwd=tree,
            env=environ | {"HEFESTO_SECRET_KEY": BOTH, "TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=False,
        )
        os.set_blocking(ours, False)
        assert b"Encrypting" in os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
