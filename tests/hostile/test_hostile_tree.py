"""What a hostile tree can do to a walk and a read: nothing."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hefesto_api.adapters.history import open_history
from hefesto_api.analyzers.workspace import Limits, Skipped, open_root, resolve, shown
from hefesto_api.domain.errors import InvalidFilePath
from tests import privileges
from tests.hostile import trees

if TYPE_CHECKING:
    from hefesto_api.analyzers.workspace import Discovery
    from tests.hostile.trees import HostileTree


def is_python(path: str) -> bool:
    return path.endswith(".py")


def discover(root: Path, limits: Limits | None = None) -> Discovery:
    with open_root(resolve(root, [root])) as tree:
        return tree.discover(wanted=is_python, limits=limits)


def test_everything_good_is_found_and_read(hostile_tree: HostileTree) -> None:
    with open_root(resolve(hostile_tree.root, [hostile_tree.root])) as tree:
        found = tree.discover(wanted=is_python)
        paths = [entry.path for entry in found.entries]
        assert set(hostile_tree.good) <= set(paths)
        assert paths == sorted(paths)
        for entry in found.entries:
            content = tree.content(entry)
            assert isinstance(content, bytes), entry.path
            assert trees.SECRET.encode() not in content


def test_everything_else_is_reported_once_with_its_reason(hostile_tree: HostileTree) -> None:
    skipped = discover(hostile_tree.root).skipped
    assert {item.path: item.reason for item in skipped} == hostile_tree.skipped
    assert len(skipped) == len(hostile_tree.skipped)


def test_a_second_look_is_the_same(hostile_tree: HostileTree) -> None:
    assert discover(hostile_tree.root) == discover(hostile_tree.root)


def test_files_past_the_longest_path_are_read(hostile_tree: HostileTree) -> None:
    leaf = "/".join(["deep", *[trees.DEEP_NAME] * 99, "leaf.py"])
    assert len(leaf) > 4096
    assert leaf in [entry.path for entry in discover(hostile_tree.root).entries]
    with open_root(resolve(hostile_tree.root, [hostile_tree.root])) as tree:
        assert tree.read(leaf) == b""


def test_what_may_not_be_read_is_told_of(hostile_tree: HostileTree) -> None:
    (hostile_tree.root / "good.py").chmod(0)
    (hostile_tree.root / "pkg").chmod(0)
    with privileges.bound_by_modes():
        with open_root(resolve(hostile_tree.root, [hostile_tree.root])) as tree:
            found = tree.discover(wanted=is_python)
            [good] = [entry for entry in found.entries if entry.path == "good.py"]
            assert tree.content(good) == Skipped("good.py", "unreadable")
        with pytest.raises(InvalidFilePath) as refusal:
            resolve("good.py", [hostile_tree.root])
    assert Skipped("pkg", "unreadable") in found.skipped
    assert refusal.value.reason == "not_readable"
    (hostile_tree.root / "pkg").chmod(0o755)


def test_asking_for_what_was_skipped_is_refused_and_does_not_wait(hostile_tree: HostileTree) -> None:
    with open_root(resolve(hostile_tree.root, [hostile_tree.root])) as tree:
        for path in hostile_tree.skipped:
            with pytest.raises(InvalidFilePath):
                tree.read(path)


def test_nothing_in_the_tree_was_run(hostile_tree: HostileTree) -> None:
    discover(hostile_tree.root)
    history = open_history(hostile_tree.root, [hostile_tree.root])
    assert history.head() is None
    assert history.remote_url() is None
    assert not hostile_tree.canary.exists()


def test_no_name_is_shown_that_drives_a_terminal(hostile_tree: HostileTree) -> None:
    found = discover(hostile_tree.root)
    for path in [shown(entry.path) for entry in found.entries] + [item.path for item in found.skipped]:
        path.encode()
        assert not any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 or sign == "\u202e" for sign in path)


def test_a_growing_file_ends(tmp_path: Path) -> None:
    target, stop = tmp_path / "log.py", threading.Event()
    target.write_bytes(b"x")

    def grow() -> None:
        with target.open("ab") as file:
            while not stop.is_set():
                file.write(b"x" * 65536)
                file.flush()

    writer = threading.Thread(target=grow)
    with open_root(resolve(tmp_path, [tmp_path])) as tree:
        [entry] = tree.discover(wanted=is_python).entries
        writer.start()
        try:
            found: bytes | Skipped = b""
            while isinstance(found, bytes):
                assert len(found) <= 1_000_000
                found = tree.content(entry, 1_000_000)
        finally:
            stop.set()
            writer.join()
    assert found == Skipped("log.py", "too_large")


def test_a_file_that_went_away_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    with open_root(resolve(tmp_path, [tmp_path])) as tree:
        [entry] = tree.discover(wanted=is_python).entries
        (tmp_path / "a.py").unlink()
        assert tree.content(entry) == Skipped("a.py", "vanished")


def test_many_files_are_found_and_a_cap_says_so(tmp_path: Path) -> None:
    count = 100_000 if os.environ.get("HEFESTO_TEST_BIG") else 20_000
    trees.many(tmp_path, count)
    found = discover(tmp_path)
    assert (len(found.entries), found.skipped) == (count, [])
    capped = discover(tmp_path, Limits(files=1000))
    assert len(capped.entries) == 1000
    assert [(item.reason, item.detail) for item in capped.skipped] == [
        ("too_many_files", "stopped after 1000 files")
    ]
    assert capped == discover(tmp_path, Limits(files=1000))
    shutil.rmtree(tmp_path)  # pytest would keep three of them


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(total_bytes=2500), "too_many_bytes"),
        (Limits(seconds=-1), "timeout"),
        (Limits(depth=1), "depth"),
    ],
)
def test_every_cap_is_told_of(tmp_path: Path, limits: Limits, reason: str) -> None:
    for number in range(5):
        folder = tmp_path / f"a{number}" / "b"
        folder.mkdir(parents=True)
        (folder / "a.py").write_bytes(b"x" * 1000)
    found = discover(tmp_path, limits)
    assert len(found.entries) < 5
    assert {item.reason for item in found.skipped} == {reason}
