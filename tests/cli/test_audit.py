"""`hefesto audit`: the log is verified and written out; commands stand in it themselves."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

from hefesto_api.storage.database import open_database
from tests import tampering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Hefesto


def test_commands_stand_in_the_log_which_is_verified(hefesto: Hefesto, tree: Path) -> None:
    made = hefesto("keys", "create", "--name", "of a script", "--role", "viewer")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.splitlines()[-1]
    done = hefesto("audit", "export", "--action", "api_key.created")
    assert done.returncode == 0, done.stderr
    (entry,) = map(json.loads, done.stdout.splitlines())
    assert entry["user_id"] == f"cli:{getpass.getuser()}"
    assert entry["changes"]["name"] == {"from": None, "to": "of a script"}
    assert secret not in done.stdout
    checked = hefesto("audit", "verify")
    assert checked.returncode == 0, checked.stderr
    seal = checked.stdout.splitlines()[-1]
    assert seal.startswith("1:")
    assert hefesto("audit", "verify", "--seal", seal).returncode == 0
    db = open_database(f"sqlite:///{tree / 'instance' / 'hefesto.db'}")
    tampering.run(db, "UPDATE audit_logs SET user_id = 'eve' WHERE number = 1")
    db.close()
    found = hefesto("audit", "verify")
    assert found.returncode == 1
    assert entry["id"] in found.stderr


def test_a_table_is_written_into_a_new_file(hefesto: Hefesto, tree: Path) -> None:
    hefesto("keys", "create", "--name", "=1+1", "--role", "viewer")
    wanted = ("audit", "export", "--format", "csv", "--end-date", "2999-01-01", "--output", "log.csv")
    done = hefesto(*wanted)
    assert done.returncode == 0, done.stderr
    lines = (tree / "log.csv").read_text().splitlines()
    assert lines[0].startswith("id,timestamp,user_id,")
    assert "api_key.created" in lines[-1]
    again = hefesto(*wanted)
    assert again.returncode not in {0, 1}
    assert "Traceback" not in again.stderr


def test_a_restored_database_says_so(hefesto: Hefesto) -> None:
    assert hefesto("db", "upgrade").returncode == 0
    assert hefesto("db", "backup", "copy.db").returncode == 0
    assert hefesto("db", "restore", "copy.db").returncode == 0
    (entry,) = map(json.loads, hefesto("audit", "export").stdout.splitlines())
    assert (entry["action"], entry["changes"]["backup"]) == ("database.restored", "copy.db")
    assert entry["user_id"].startswith("cli:")
