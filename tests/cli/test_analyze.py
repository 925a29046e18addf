"""`hefesto analyze` as a process: statuses, formats, what it remembers, and how it can be ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import signal
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hefesto_api import cli
from hefesto_api.features.analysis import local
from tests import privileges
from tests.cli.conftest import EVAL, Hefesto, argv


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Read the JSON that a command printed."""
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def places(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int]]:
    return [(one["file"], one["line"]) for one in report(done)["findings"]]


BOTH = [("pay/shell.py", 5), ("run.py", 2)]


def test_of_vendored_code_only_what_endangers_is_reported(hefesto: Hefesto, tree: Path) -> None:
    tangled = "function f(a) {\n" + "  if (a) { f(a) }\n" * 30 + "}\n"
    key = 'const key = "AKIAQ3EGRPKWZ5J7XWTL"\n'
    for folder in ("vendor", "own"):
        (tree / folder).mkdir()
        (tree / folder / "lib.js").write_text(tangled + key)
    found = report(hefesto("analyze", ".", "--severity", "low", "--format", "json"))["findings"]
    groups = {
        folder: {one["analyzer"] for one in found if one["file"] == f"{folder}/lib.js"}
        for folder in ("vendor", "own")
    }
    assert groups == {"vendor": {"security"}, "own": {"security", "complexity"}}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 0),
        (("--fail-on", "high"), 1),
        (("--fail-on", "low", "--severity", "critical"), 1),
        (("--fail-on", "critical"), 0),
        (("--fail-on", "LOW"), 1),
    ],
)
def test_findings_fail_only_where_the_gate_stands(
    hefesto: Hefesto, options: tuple[str, ...], status: int
) -> None:
    assert hefesto("analyze", ".", *options).returncode == status


def test_a_first_analysis_which_begins_early_finds_what_any_other_does(
    hefesto: Hefesto, tree: Path, tmp_path: Path
) -> None:
    (tree / "twin.py").write_text(EVAL)
    (tree / "left.py").write_text(EVAL)
    (project,) = [one.project for one in local.select([str(tree)])]
    options = ("--severity", "low", "--format", "json", "--exclude", "left.py")
    early = hefesto("analyze", ".", *options)
    locks = tmp_path / "later" / "hefesto" / "locks"
    locks.mkdir(parents=True)
    (locks / project).touch()
    late = hefesto("analyze", ".", *options, XDG_CACHE_HOME=str(tmp_path / "later"))
    assert places(early) == places(late)
    assert {"run.py", "twin.py"} <= {file for file, _ in places(early)}
    assert "left.py" not in {file for file, _ in places(early)}
    assert [report(done)["files_analyzed"] for done in (early, late)] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "PATHS"),
        (("nowhere.py",), "nowhere.py: file not found"),
        ((".", "--severity", "grave"), "grave"),
        ((".", "--format", "pdf"), "pdf"),
        ((".", "--analyzers", "security,speed"), "'speed'"),
        ((".", "--jobs", "0"), "0"),
        ((".", "--output", "no/such/folder.json"), "no folder no/such"),
        ((".", "--diff-base", "main"), "no git repository"),
        ((".", "--diff-base", ""), "--diff-base"),
        (("--speed",), "--speed"),
    ],
)
def test_wrong_use_is_2_and_named(hefesto: Hefesto, arguments: tuple[str, ...], named: str) -> None:
    done = hefesto("analyze", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_bad_setting_is_2_and_an_unknown_one_is_told_once(hefesto: Hefesto) -> None:
    bad = hefesto("analyze", ".", HEFESTO_MAX_PARAMETERS="many")
    assert bad.returncode == 2
    assert "HEFESTO_MAX_PARAMETERS" in bad.stderr
    unknown = hefesto("analyze", ".", HEFESTO_MAX_PARAMETER="3")
    assert unknown.returncode == 0
    assert unknown.stderr.count("HEFESTO_MAX_PARAMETER is not a setting") == 1


def test_names_of_the_analysed_program_are_none_of_ours(hefesto: Hefesto, tree: Path) -> None:
    (tree / ".env").write_text("DATABASE_URL=mysql://db/shop\nHEFESTO_DATABASE_URL=sqlite:///stolen.db\n")
    done = hefesto("analyze", "run.py", PORT="tcp", DATABASE_URL="postgres://db/shop")
    assert done.returncode == 0
    assert not (tree / "stolen.db").exists()


def test_the_state_lies_where_the_environment_says(hefesto: Hefesto, tmp_path: Path, tree: Path) -> None:
    hefesto("analyze", ".", HEFESTO_DATABASE_URL=f"sqlite:///{tmp_path / 'own.db'}")
    assert (tmp_path / "own.db").is_file()
    assert not (tmp_path / "cache" / "hefesto" / "hefesto.db").exists()
    done = hefesto("analyze", ".", HEFESTO_DATABASE_URL="mysql://db/x")
    assert done.returncode == 2
    assert "HEFESTO_DATABASE_URL" in done.stderr


def test_json_is_the_answer_of_the_service(hefesto: Hefesto) -> None:
    found = report(hefesto("analyze", ".", "--format", "json"))
    assert found["status"] == "completed"
    assert found["path"] == "."
    assert found["project"].startswith("shop-")
    assert found["files_analyzed"] == 2
    assert found["files_skipped"] == []
    assert found["summary"] == {"total_issues": 2, "critical": 0, "high": 2, "medium": 0, "low": 0}
    assert [(one["file"], one["line"]) for one in found["findings"]] == BOTH
    finding = found["findings"][1]
    assert finding["rule_id"] == "HEF-SEC-CODE-EXECUTION"
    assert (finding["analyzer"], finding["severity"], finding["column"]) == ("security", "HIGH", 12)


def test_an_unchanged_tree_gives_the_same_document(hefesto: Hefesto) -> None:
    first, second = (report(hefesto("analyze", ".", "--format", "json")) for _ in range(2))
    of_the_run = {"analysis_id", "timestamp", "execution_time_ms"}
    assert {key: first[key] for key in first.keys() - of_the_run} == {
        key: second[key] for key in second.keys() - of_the_run
    }


def test_every_format_can_be_read_back(hefesto: Hefesto) -> None:
    def printed(name: str) -> str:
        return hefesto("analyze", ".", "--format", name).stdout

    results = json.loads(printed("sarif"))["runs"][0]["results"]
    assert len(results) == 2
    assert all(one["partialFingerprints"]["primaryLocationLineHash"] for one in results)
    assert len(ET.fromstring(printed("junit")).findall(".//failure")) == 2  # noqa: S314 - our own
    climate = json.loads(printed("codeclimate"))
    assert len({one["fingerprint"] for one in climate}) == 2
    assert printed("github").count("::error ") == 2
    page = printed("html")
    HTMLParser().feed(page)
    assert "HEF-SEC-CODE-EXECUTION" in page
    text = printed("text")
    assert "2 findings (2 high) in 2 files" in text
    assert "\x1b" not in text


def test_a_report_file_appears_whole_and_is_not_analysed_itself(hefesto: Hefesto, tree: Path) -> None:
    for _ in range(2):
        done = hefesto("analyze", ".", "--format", "json", "-o", "report[1].json")
        assert done.stdout == ""
        assert "2 findings (2 high) in 2 files." in done.stderr
    assert json.loads((tree / "report[1].json").read_text())["files_analyzed"] == 2
    assert sorted(path.name for path in tree.iterdir()) == ["pay", "report[1].json", "run.py"]
    assert hefesto("analyze", ".", "-o", "r.txt", "--quiet").stderr == ""


def test_nothing_is_written_into_the_tree(hefesto: Hefesto, tree: Path) -> None:
    hefesto("analyze", ".")
    assert sorted(path.name for path in tree.rglob("*")) == ["pay", "run.py", "shell.py"]


def test_files_are_left_out_and_groups_chosen(hefesto: Hefesto, tree: Path) -> None:
    wide = "def wide(a, b, c, d, e, f, g, h):\n    return a, b, c, d, e, f, g, h\n"
    (tree / "wide.py").write_text(wide)
    assert places(
        hefesto("analyze", ".", "--format", "json", "--exclude", "pay/", "--exclude", "wide.py")
    ) == [("run.py", 2)]
    assert places(hefesto("analyze", ".", "--format", "json", "--analyzers", "code-smells")) == [
        ("wide.py", 1)
    ]


def test_as_pre_commit_calls_it_with_many_files(hefesto: Hefesto, tree: Path) -> None:
    git(tree, "init", "-q")
    names = [f"part{number:03}.py" for number in range(300)]
    for number, name in enumerate(names):
        (tree / name).write_text(f"NUMBER = {number}\n" + (EVAL if number == 7 else ""))
    found = report(hefesto("analyze", "--format", "json", "--fail-on", "high", *names))
    assert found["files_analyzed"] == 300
    assert [one["file"] for one in found["findings"]] == ["part007.py"]


def test_paths_are_named_from_the_top_of_the_work_tree(hefesto: Hefesto, tree: Path) -> None:
    git(tree, "init", "-q")
    assert places(hefesto("analyze", "pay", "run.py", "--format", "json")) == BOTH
    assert places(hefesto("analyze", tree / "pay" / "shell.py", "--format", "json")) == [("pay/shell.py", 5)]
    found = report(hefesto("analyze", "pay", "--format", "json"))
    assert (found["path"], found["project"][:5]) == ("pay", "shop-")


def test_several_tops_make_one_report(hefesto: Hefesto, tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.py").write_text(EVAL)
    found = report(hefesto("analyze", ".", other, "--format", "json"))
    assert found["summary"]["total_issues"] == 3
    assert {one["file"] for one in found["findings"]} == {"pay/shell.py", "run.py", f"{other}/run.py"}
    assert [name[:5] for name in found["project"].split(",")] == ["other", "shop-"]


def test_paths_are_sorted_by_the_analysis_they_belong_to(tree: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "src" / "deep").mkdir(parents=True)
    git(repository, "init", "-q")
    (repository / "one.py").write_text("")
    within = [repository / "src" / "deep", repository / "one.py", repository / "src"]
    loose = [tree / "pay", tree, tree / "run.py"]
    chosen = local.select(map(str, [*within, *loose]))
    assert [(one.top, one.places) for one in chosen] == [
        (repository, (("one.py", False), ("src", True))),
        (tree, (("", True),)),
    ]


def test_two_folders_of_one_name_are_two_projects(tmp_path: Path) -> None:
    tops = [tmp_path / name / "My Shop" for name in ("a", "b")]
    for top in tops:
        top.mkdir(parents=True)
    slugs = [one.project for one in local.select(map(str, tops))]
    assert len(set(slugs)) == 2
    assert all(slug.startswith("my-shop-") for slug in slugs)


def test_a_second_command_waits_for_the_first(
    hefesto: Hefesto, environ: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    (project,) = [one.project for one in local.select([str(tree)])]
    locks = tmp_path / "cache" / "hefesto" / "locks"
    locks.mkdir(parents=True)
    with (locks / project).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            argv("analyze", "."),
            cwd=tree,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stderr is not None
            assert "waiting" in second.stderr.readline()
            assert second.poll() is None
            fcntl.flock(held, fcntl.LOCK_UN)
            out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "2 findings" in out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_can_be_interrupted_in_the_middle(
    hefesto: Hefesto, environ: dict[str, str], tree: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    for name in range(400):
        body = "".join(f"def f{at}(text):\n    return eval(text + {at})\n\n\n" for at in range(25))
        (tree / f"m{name}.py").write_text(f"NAME = {name}\n{body}")
    with subprocess.Popen(
        argv("analyze", "."), cwd=tree, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert states(tmp_path / "cache" / "hefesto" / "hefesto.db", until="running")
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (status, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert states(tmp_path / "cache" / "hefesto" / "hefesto.db") == ["cancelled"]
    again = report(hefesto("analyze", ".", "--format", "json"))
    assert again["summary"]["high"] == 400 * 25 + 2
    evals = [one for one in again["findings"] if one["severity"] == "HIGH"]
    assert len({(one["file"], one["line"]) for one in evals}) == len(evals) == 400 * 25 + 2


def states(path: Path, until: str | None = None) -> list[str]:
    """Return the status of every analysis, once one has the awaited one."""
    deadline = time.monotonic() + 100
    found: list[str] = []
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened,
        ):
            found = [row[0] for row in opened.execute("SELECT status FROM analyses")]
        if until is None or until in found:
            break
    return found


def test_what_a_killed_command_left_is_given_up(
    hefesto: Hefesto, environ: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    for name in range(400):
        (tree / f"m{name}.py").write_text(f"NAME = {name}\n{EVAL * 20}")
    path = tmp_path / "cache" / "hefesto" / "hefesto.db"
    with subprocess.Popen(argv("analyze", "."), cwd=tree, env=environ, stdout=subprocess.DEVNULL) as running:
        assert states(path, until="running")
        running.kill()
    assert hefesto("analyze", ".").returncode == 0
    assert sorted(states(path)) == ["completed", "failed"]


def test_a_reader_that_has_seen_enough_is_no_error(environ: dict[str, str], tree: Path) -> None:
    (tree / "long.py").write_text(EVAL * 4000)
    with subprocess.Popen(
        argv("analyze", "."), cwd=tree, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 0


def test_a_cache_that_cannot_be_written_is_told_and_done_without(hefesto: Hefesto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = hefesto("analyze", ".", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert done.returncode == 0
    assert "2 findings" in done.stdout
    assert "temporary" in done.stderr


def test_a_cache_of_somebody_else_is_told_and_done_without(
    hefesto: Hefesto, environ: dict[str, str], tree: Path, tmp_path: Path
) -> None:
    assert hefesto("analyze", ".").stderr == ""
    path = tmp_path / "cache" / "hefesto" / "hefesto.db"
    path.chmod(0o400)
    done = subprocess.run(
        argv("analyze", "."), cwd=tree, env=environ, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=privileges.bind_to_modes,
    )  # fmt: skip
    assert done.returncode == 0
    assert "temporary" in done.stderr


def test_a_damaged_cache_is_told_and_done_without(hefesto: Hefesto, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "hefesto" / "hefesto.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database, " * 500)
    done = hefesto("analyze", ".")
    assert done.returncode == 0
    assert "2 findings" in done.stdout
    assert str(path) in done.stderr


def test_help_imports_none_of_the_engine() -> None:
    code = (
        "import sys; from hefesto_api.cli import main\n"
        "try: main(['analyze', '--help'])\n"
        "finally: print([m for m in ('sqlalchemy', 'flask', 'rich', 'jinja2', 'pygit2') if m in sys.modules])"
    )
    done = subprocess.run([argv()[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_analysis_imports_nothing_of_the_web(
    hefesto: Hefesto, environ: dict[str, str], tree: Path
) -> None:
    heavy = (
        "('flask', 'marshmallow', 'alembic', 'rich', 'pygit2', 'structlog', 'gunicorn', 'cryptography',"
        " 'argon2', 'jwt', 'authlib', 'joserfc', 'limits', 'redis', 'urllib3')"
    )
    code = (
        "import sys; from hefesto_api.cli import main\n"
        "try: main(['analyze', '.', '--format', 'json', '-q', '-o', '/dev/null'])\n"
        f"finally: print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run(
        [argv()[0], "-c", code], cwd=tree, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_commands_are_listed_as_they_describe_themselves() -> None:
    runner = CliRunner()
    listed = runner.invoke(cli.main, ["--help"]).output
    for name in cli.COMMANDS:
        assert f"  {name} " in listed
        assert runner.invoke(cli.main, [name, "--help"]).exit_code == 0
    assert runner.invoke(cli.main, ["nonsense"]).exit_code == 2


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )
