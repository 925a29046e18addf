"""The engine as its caller sees it: files in, reports out, whatever the files do."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hefesto_api.analyzers import child
from hefesto_api.analyzers.base import FileReport, SourceFile
from hefesto_api.analyzers.engine import Engine, content_key
from hefesto_api.analyzers.registry import Thresholds, availability
from msgspec.structs import replace

SHELL = b"import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(processes=2)
    yield made
    made.close()


def reports(engine: Engine, files: Iterable[SourceFile]) -> dict[str, FileReport]:
    return {file.path: child.unpack(packed) for file, packed in engine.run(files)}


def rules(report: FileReport) -> set[str]:
    return {one.rule_id for one in report.detections}


def children_of_this_process() -> set[int]:
    listed = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    tasks = Path("/proc/self/task").glob("*/children") if listed.exists() else []
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def parsers_of_this_process() -> list[Path]:
    """Return the folders in /proc of its parser children, those that wait for the next test included."""
    found = []
    for pid in children_of_this_process():
        with suppress(OSError):  # it ended meanwhile
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"hefesto_api.analyzers.child" in words:
                found.append(Path(f"/proc/{pid}"))
    return found


def test_reports_structure_findings_and_where_they_stand(engine: Engine) -> None:
    report = reports(engine, [SourceFile("shop/run.py", SHELL, "python")])["shop/run.py"]
    assert report.structure is not None
    assert [function.qualified_name for function in report.structure.functions] == ["run"]
    (found,) = [one for one in report.detections if one.rule_id == "HEF-SEC-COMMAND-INJECTION"]
    assert (found.line, found.symbol, found.line_text) == (5, "run", "    os.system('ls ' + name)")
    assert "def run(name):" in found.snippet
    assert len(report.fingerprints) == len(report.detections)


def test_every_file_is_answered_once(engine: Engine) -> None:
    files = [SourceFile(f"f{number}.py", b"x = %d\n" % number, "python") for number in range(500)]
    answered = [file.path for file, _ in engine.run(files)]
    assert sorted(answered) == sorted(file.path for file in files)


def test_other_languages_and_texts_are_examined_too(engine: Engine) -> None:
    key = b"aws_secret_access_key = wJalrXUtnFEMI0K7MDENG0bPxRfiCYzq9v2Rt5Lp\n"
    found = reports(
        engine,
        [
            SourceFile("a.js", b"const f = (a) => a && a.b;\n", "javascript"),
            SourceFile("Main.java", b"class Main { int one() { return 1; } }\n", "java"),
            SourceFile("main.go", b"package main\n\nfunc One() int { return 1 }\n", "go"),
            SourceFile("settings.ini", b"[aws]\naws_access_key_id = AKIAQ3EGRZ7XOPV2LMNK\n" + key, None),
        ],
    )
    functions = {path: [f.name for f in r.structure.functions] for path, r in found.items() if r.structure}
    assert functions["Main.java"] == ["one"]
    assert functions["main.go"] == ["One"]
    assert functions["a.js"] == ["f"]
    assert "HEF-SEC-AWS-KEY" in rules(found["settings.ini"])
    assert all(b"wJalrXUtnFEMI" not in child.pack(report) for report in found.values())


def test_a_killed_parser_costs_at_most_a_file(engine: Engine) -> None:
    files = [SourceFile(f"f{number}.py", SHELL * 40, "python") for number in range(60)]
    running = engine.run(files)
    first, _ = next(running)
    killed = parsers_of_this_process()
    for folder in killed:
        os.kill(int(folder.name), signal.SIGKILL)
    done = {first.path} | {file.path for file, packed in running if child.unpack(packed).skipped is None}
    assert killed
    assert len(done) >= len(files) - 2


def test_closing_early_ends_everything(engine: Engine) -> None:
    endless = (SourceFile(f"f{number}.py", SHELL, "python") for number in range(10**9))
    running = engine.run(endless)
    next(running)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 10
    assert len(reports(engine, [SourceFile("a.py", SHELL, "python")])) == 1


def numbered(count: int, start: int = 0) -> list[SourceFile]:
    return [
        SourceFile(f"f{number}.py", SHELL + b"# %d\n" % number, "python")
        for number in range(start, start + count)
    ]


def test_a_run_that_was_begun_early_answers_what_is_asked_for_and_nothing_else(engine: Engine) -> None:
    engine.begin(numbered(200))
    wanted = numbered(250, start=100)
    answered = list(engine.run(wanted))
    assert sorted(file.path for file, _ in answered) == sorted(file.path for file in wanted)
    found = {file.path: child.unpack(packed) for file, packed in answered}
    assert found == reports(engine, wanted)


def test_a_file_that_changed_after_the_early_beginning_is_examined_as_it_is_now(engine: Engine) -> None:
    engine.begin(SourceFile(f"f{number}.py", b"x = 1\n", "python") for number in range(20))
    found = reports(engine, [SourceFile("f3.py", SHELL, "python")])
    assert "HEF-SEC-COMMAND-INJECTION" in rules(found["f3.py"])


def test_an_early_beginning_that_nobody_comes_back_to_ends_with_the_engine() -> None:
    engine = Engine(processes=1)
    engine.begin(SourceFile(f"f{number}.py", SHELL, "python") for number in range(10**9))
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 10


def test_an_error_in_an_early_beginning_reaches_whoever_runs(engine: Engine) -> None:
    def broken() -> Iterator[SourceFile]:
        yield SourceFile("a.py", SHELL, "python")
        raise OSError("the disk went away")

    engine.begin(broken())
    with pytest.raises(OSError, match="the disk went away"):
        list(engine.run([SourceFile("a.py", SHELL, "python")]))


def test_a_report_is_kept_without_its_shingles_and_read_in_both_forms(engine: Engine) -> None:
    body = b"".join(b"total_%d = price_of(%d) * amount_of(%d)\n" % (n, n, n) for n in range(30))
    ((_, packed),) = list(engine.run([SourceFile("long.py", body, "python")]))
    sent, kept = child.unpack(packed), child.unpack(child.to_keep(packed))
    assert len(sent.shingles) > 0
    assert kept == replace(sent, shingles=b"")


def test_a_sketch_knows_a_text_that_was_indented_anew_and_given_other_line_ends(engine: Engine) -> None:
    rows = [b"total_%d = price(%d)" % (number, number) for number in range(80)]
    files = [
        SourceFile("a.js", b"\n".join(rows), "javascript"),
        SourceFile("b.js", b"\r\n\t  ".join(rows), "javascript"),
    ]
    found = reports(engine, files)
    assert len(found["a.js"].sketch) == 64
    assert found["a.js"].sketch == found["b.js"].sketch


def test_an_error_while_reading_files_reaches_the_caller(engine: Engine) -> None:
    def broken() -> Iterator[SourceFile]:
        yield SourceFile("a.py", SHELL, "python")
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="the disk went away"):
        list(engine.run(broken()))


def test_children_get_no_environment_and_run_nothing_that_site_would(engine: Engine) -> None:
    reports(engine, [SourceFile("a.py", SHELL, "python")])
    parsers = parsers_of_this_process()
    assert parsers
    for folder in parsers:
        assert {b"-I", b"-S"} <= set((folder / "cmdline").read_bytes().split(b"\0"))
        assert (folder / "environ").read_bytes() == b""


@pytest.mark.parametrize(
    ("language", "opening"),
    [("python", b"("), ("javascript", b"["), ("typescript", b"("), ("java", b"{"), ("go", b"{")],
)
def test_fifty_thousand_levels_are_survived(engine: Engine, language: str, opening: bytes) -> None:
    found = reports(
        engine,
        [SourceFile("deep", opening * 50_000, language), SourceFile("after.py", SHELL, "python")],
    )
    assert "HEF-SEC-COMMAND-INJECTION" in rules(found["after.py"])
    assert "deep" in found


def test_a_file_that_no_text_can_be_made_of_is_still_answered(engine: Engine) -> None:
    found = reports(engine, [SourceFile("odd.py", b"\xff\xfe\xfd = 1\n" + SHELL, "python")])
    assert found["odd.py"].structure is not None


def test_what_is_said_depends_on_rules_and_thresholds() -> None:
    assert Engine().version == Engine(processes=5).version
    assert Engine(Thresholds(max_parameters=9)).version != Engine().version


def test_the_key_is_the_content_and_what_the_path_tells() -> None:
    def key(path: str, content: bytes = SHELL, language: str | None = "python") -> tuple[str, str]:
        return content_key(SourceFile(path, content, language))

    assert key("a.py") == key("other/b.py")
    assert key("a.py") != key("a.py", SHELL + b"\n")
    assert key("a.py") != key("tests/test_a.py")
    assert key("pkg/__init__.py") != key("pkg/a.py")
    assert key("a.py") != key("third_party/a.py") != key("third_party/tests/a.py")


def test_rules_that_mean_little_in_tests_weigh_less_there(engine: Engine) -> None:
    found = reports(
        engine, [SourceFile("run.py", SHELL, "python"), SourceFile("tests/test_run.py", SHELL, "python")]
    )
    ranks = {
        path: [one.severity.rank for one in r.detections if one.rule_id == "HEF-SEC-COMMAND-INJECTION"]
        for path, r in found.items()
    }
    assert ranks["tests/test_run.py"] == [ranks["run.py"][0] - 1]


def test_the_parts_say_whether_they_work() -> None:
    assert availability() == {"ruff": "available", "tree_sitter": "available"}
