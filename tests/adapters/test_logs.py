"""The log's lines: masked, on one line each, in files that several processes rotate."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hefesto_api import settings as all_settings
from hefesto_api.adapters import log_file, logs
from hefesto_api.adapters.log_file import RotatingFile
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


def written(folder: Path, form: str) -> bytes:
    environ = {"HEFESTO_LOG_FILE": str(folder / "log"), "HEFESTO_LOG_FORMAT": form}
    logs.configure(all_settings.load(environ, folder))
    log = logs.of("tests")
    log.info("said", path="/a\nb", password="hunter2", authorization="Bearer hunter2", count=3)
    log.debug("unsaid")
    logging.getLogger("library").warning("told by a %s", "library")
    log.error("failed", exc_info=ValueError("a fault"))
    return (folder / "log").read_bytes()


def test_lines_of_json_are_json(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path, "json").splitlines()]
    assert [line["event"] for line in lines] == ["said", "told by a library", "failed"]
    assert lines[0]["path"] == "/a\nb"
    assert (lines[0]["password"], lines[0]["authorization"]) == (logs.MASK, logs.MASK)
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: a fault" in lines[2]["exception"]


def test_lines_of_text_cannot_be_forged(tmp_path: Path) -> None:
    text = written(tmp_path, "text").decode()
    first = text.splitlines()[0]
    assert "said" in first
    assert r"path='/a\nb'" in first
    assert "hunter2" not in text
    assert "ValueError: a fault" in text


def test_a_full_file_is_turned_over_and_the_oldest_goes(tmp_path: Path) -> None:
    sink = RotatingFile(tmp_path / "log", limit=100, kept=2)
    for number in range(20):
        sink.write(b"%039d\n" % number)
    assert (tmp_path / "log").read_bytes() == b"%039d\n%039d\n" % (18, 19)
    assert (tmp_path / "log.1").read_bytes() == b"%039d\n%039d\n" % (16, 17)
    assert (tmp_path / "log.2").read_bytes() == b"%039d\n%039d\n" % (14, 15)
    assert not (tmp_path / "log.3").exists()


def write_many(path: Path, name: int, count: int) -> None:
    sink = RotatingFile(path, limit=2000, kept=100)
    for number in range(count):
        sink.write(b"%d:%d\n" % (name, number))


def test_processes_share_a_file_and_lose_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(tmp_path / "log", name, 1000)) for name in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = [line for path in tmp_path.glob("log*") for line in path.read_bytes().split()]
    assert sorted(lines) == sorted(b"%d:%d" % (name, number) for name in range(3) for number in range(1000))
    assert len(os.listdir(tmp_path)) > 3  # noqa: PTH208 - it did turn over


def test_who_was_idle_finds_the_new_file(tmp_path: Path) -> None:
    """A file that still had room for a short line was written on after the others had forgotten it."""
    idle, busy = (RotatingFile(tmp_path / "log", limit=100, kept=2) for _ in range(2))
    idle.write(b"first\n")
    for _ in range(9):
        busy.write(b"x" * 98 + b"\n")  # it does not fit behind `first`, which a short one would
    idle.write(b"last\n")
    assert b"last\n" in b"".join(path.read_bytes() for path in tmp_path.glob("log*"))


def test_another_tool_may_turn_the_file_over(tmp_path: Path) -> None:
    sink = RotatingFile(tmp_path / "log")
    sink.write(b"one\n")
    (tmp_path / "log").rename(tmp_path / "old")
    sink.write(b"two\n")
    assert ((tmp_path / "old").read_bytes(), (tmp_path / "log").read_bytes()) == (b"one\n", b"two\n")


def test_what_the_disk_does_not_take_is_told_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []
    monkeypatch.setattr(log_file.StandardError, "write", lambda _self, line: told.append(line))
    sink = RotatingFile(tmp_path / "log")
    room = iter([4, 100])
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[: next(room)]))
    sink.write(b"a line\n")
    sink.write(b"another\n")
    assert (tmp_path / "log").read_bytes() == b"a li\nanother\n"
    assert told == [b"a line\n"]


def test_a_file_that_cannot_be_written_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="HEFESTO_LOG_FILE"):
        logs.configure(all_settings.load({"HEFESTO_LOG_FILE": str(tmp_path / "file" / "log")}, tmp_path))
