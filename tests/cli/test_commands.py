"""The other commands: explain, serve, db; and what is written about all of them."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hefesto_api import cli, settings
from hefesto_api.analyzers.catalogue import RULES
from hefesto_api.cli import serving
from tests.cli.conftest import Hefesto, argv

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["HEF-SEC-SQL-INJECTION", "sql_injection", "SQL-Injection", "s608", "ruff:S608"]
)
def test_a_rule_is_found_by_each_of_its_names(hefesto: Hefesto, name: str) -> None:
    done = hefesto("explain", name)
    entry = RULES["HEF-SEC-SQL-INJECTION"]
    assert done.returncode == 0
    assert entry.title in done.stdout
    assert "HIGH" in done.stdout
    assert "CWE-89" in done.stdout
    for line in (entry.bad + entry.good).splitlines():
        assert line in done.stdout


def test_an_unknown_rule_is_2_and_the_nearest_is_named(hefesto: Hefesto) -> None:
    done = hefesto("explain", "sql_injektion")
    assert done.returncode == 2
    assert "HEF-SEC-SQL-INJECTION" in done.stderr
    assert hefesto("explain").returncode == 2
    assert hefesto("explain", "--list", "sql_injection").returncode == 2


def test_every_rule_is_listed(hefesto: Hefesto) -> None:
    listed = hefesto("explain", "--list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == sorted(RULES)


def test_the_version_is_printed(hefesto: Hefesto) -> None:
    assert re.fullmatch(r"hefesto \d+\.\d+\.\d+\S*\n", hefesto("version").stdout)
    assert hefesto("--version").stdout.split()[-1] == hefesto("version").stdout.split()[-1]


def test_serving_others_has_to_be_decided(hefesto: Hefesto, tree: Path) -> None:
    done = hefesto("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it must refuse
    assert done.returncode == 2
    assert "HEFESTO_AUTH" in done.stderr
    assert "required" in done.stderr
    assert "open" in done.stderr
    assert not (tree / "instance").exists()


def test_a_port_in_use_is_told(hefesto: Hefesto) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hefesto("serve", "--port", str(port))
    assert done.returncode == 2
    assert f"127.0.0.1:{port} is in use already" in done.stderr
    assert "--port" in done.stderr
    assert hefesto("serve", "--host", "no.such.host.invalid").returncode == 2


def test_a_database_that_cannot_be_reached_is_told_once(hefesto: Hefesto) -> None:
    done = hefesto("serve", "--port", "0", HEFESTO_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 3
    assert done.stderr == "hefesto: The database cannot be opened or reached.\n"
    assert done.stdout == ""


@pytest.mark.e2e
def test_the_service_says_where_it_is_and_ends_with_the_signal(environ: dict[str, str], tree: Path) -> None:
    with subprocess.Popen(
        argv("serve", "--port", "0", "--workers", "1"),
        cwd=tree,
        env=environ | {"HEFESTO_LOG_FILE": str(tree.parent / "log"), "HEFESTO_SPEED": "9"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        told = [running.stdout.readline() for _ in range(8)]
        url = told[0].split()[-1]
        assert any("/docs" in line for line in told)
        assert any(str(tree / "instance" / "hefesto.db") in line for line in told)
        assert any("curl" in line and '{"path": "."}' in line for line in told)
        try:
            assert answers(url + "/health")
            # What only the start needs is not kept by the supervisor, which does nothing but wait.
            assert "/sqlalchemy/" not in Path(f"/proc/{running.pid}/maps").read_text()
        finally:
            running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert err.count("HEFESTO_SPEED is not a setting") == 1
    assert "Traceback" not in err


def answers(url: str) -> bool:
    """Ask until the service answers, for at most 100 s."""
    pause, deadline = threading.Event(), time.monotonic() + 100
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
                return int(answer.status) == 200
        except OSError:
            pause.wait(0.05)
    return False


def test_the_banner_hides_the_password_of_the_database(tmp_path: Path) -> None:
    chosen = settings.load({"HEFESTO_DATABASE_URL": "postgresql://ada:secret@db/shop"}, tmp_path)
    told = serving.banner(chosen, worker=False)
    assert "secret" not in told
    assert "db/shop" in told
    assert "left to `hefesto worker`" in told


def test_a_database_is_made_checked_copied_and_restored(hefesto: Hefesto, tree: Path) -> None:
    assert hefesto("db", "current").returncode == 2
    assert hefesto("db", "check").returncode == 2
    assert not (tree / "instance").exists()
    assert hefesto("db", "upgrade").stdout.startswith("Upgraded to ")
    assert "already" in hefesto("db", "upgrade").stdout
    assert re.fullmatch(r"\w+\n", hefesto("db", "current").stdout)
    assert hefesto("db", "backup", "copy.db").returncode == 0
    assert hefesto("db", "backup", "copy.db").returncode == 3
    checked = hefesto("db", "check")
    assert checked.returncode == 0
    assert re.search(r"^findings +0$", checked.stdout, re.MULTILINE)
    with sqlite3.connect(tree / "instance" / "hefesto.db") as opened:
        opened.execute("DROP TABLE outbox")
    opened.close()
    damaged = hefesto("db", "check")
    assert damaged.returncode == 1
    assert "outbox" in damaged.stderr
    assert hefesto("db", "restore", "copy.db").stdout.startswith("Restored.")
    assert hefesto("db", "check").returncode == 0


def test_going_back_is_asked_for(hefesto: Hefesto) -> None:
    hefesto("db", "upgrade")
    assert hefesto("db", "downgrade", "base").returncode == 1
    assert hefesto("db", "check").returncode == 0
    assert hefesto("db", "downgrade", "base", "--yes").stdout == "At base.\n"
    assert hefesto("db", "downgrade", "0815", "--yes").returncode == 2


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, by its full name."""
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_and_option_has_its_line(name: str, command: click.Command) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert f"`hefesto {name}" in page
    options = [one for one in command.params if isinstance(one, click.Option)]
    for option in options:
        assert option.help, f"{name} {option.name} says nothing of itself"
        for flag in (*option.opts, *option.secondary_opts):
            assert f"`{flag}`" in page, f"docs/cli.md has no line for {flag} of {name}"


def test_no_line_tells_of_an_option_that_is_gone() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    known = {
        flag for _, each in commands() for one in each.params for flag in (*one.opts, *one.secondary_opts)
    }
    assert set(re.findall(r"`(--[a-z-]+)`", page)) - known - {"--help"} == set()


def loaded(name: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="nothing here reads YAML")
    return yaml.safe_load((ROOT / name).read_text())


def test_the_hook_calls_what_exists() -> None:
    (hook,) = loaded(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= hook.keys()
    program, *words = hook["entry"].split()
    assert program == "hefesto"
    name, *options = words
    command = dict(commands())[name]
    assert command.make_context(name, [*options, "run.py"]).params["fail_on"] == "high"


def test_the_action_hands_its_inputs_over_as_variables(hefesto: Hefesto, tree: Path, tmp_path: Path) -> None:
    action = loaded("action.yml")
    steps = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    assert not any("${{" in step["run"] for step in steps)
    named = set(re.findall(r"inputs\.([a-z-]+)", str(steps) + str(action["outputs"])))
    assert named == set(action["inputs"])


def test_the_action_runs(environ: dict[str, str], tree: Path, tmp_path: Path) -> None:
    action = loaded("action.yml")
    script = action["runs"]["steps"][-1]["run"]
    program = tmp_path / "hefesto" / "bin" / "hefesto"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{argv()[0]}" -m hefesto_api "$@"\n')
    program.chmod(0o755)
    inputs = {name.upper().replace("-", "_"): one["default"] for name, one in action["inputs"].items()}
    inputs |= {"PATHS": "run.py\n\npay\n$(touch hacked)\n", "RUNNER_TEMP": str(tmp_path)}
    del inputs["PATH"]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tree, env=environ | inputs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2  # there is no file of that name, and nothing was run
    assert "$(touch hacked): file not found" in done.stderr
    inputs["PATHS"] = "run.py\npay\n"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tree, env=environ | inputs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "2 findings" in done.stderr
    assert (tree / "hefesto.sarif").stat().st_size > 1000
    assert not (tree / "hacked").exists()
