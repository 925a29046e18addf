"""What may be read: the allowed roots, the walk, the read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hefesto_api.analyzers.workspace import Entry, Limits, Location, Skipped, open_root, resolve, shown
from hefesto_api.analyzers.workspace.beneath import READ, open_beneath, open_by_components
from hefesto_api.domain.errors import InvalidFilePath
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import privileges


def is_source(path: str) -> bool:
    return path.endswith((".py", ".js"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed root with a secret beside it and links of all kinds in it."""
    root = tmp_path / "root"
    (root / "pkg" / "sub").mkdir(parents=True)
    (root / "a.py").write_text("a = 1\n")
    (root / "pkg" / "b.py").write_text("b = 1\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.py").write_text("s = 1\n")
    (tmp_path / "root-secret").mkdir()
    (tmp_path / "root-secret" / "s.py").write_text("s = 1\n")
    targets: dict[str, Path | str] = {
        "out": tmp_path / "secret",
        "out.py": tmp_path / "secret" / "s.py",
        "in.py": "a.py",
        "in": "pkg",
        "dangling.py": "nothing.py",
        "dangling_out.py": tmp_path / "nothing.py",
        "loop": "loop",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo.py")
    return root


@pytest.mark.parametrize(
    ("path", "relative", "is_dir"),
    [
        (".", "", True),
        ("a.py", "a.py", False),
        ("./pkg//b.py", "pkg/b.py", False),
        ("pkg/", "pkg", True),
        ("pkg/../a.py", "a.py", False),
        ("{root}", "", True),
        ("{root}/pkg/b.py", "pkg/b.py", False),
        ("//{root}/pkg/../a.py", "a.py", False),
        ("in.py", "a.py", False),
        ("in/b.py", "pkg/b.py", False),
    ],
)
def test_what_lies_in_a_root_is_found(root: Path, path: str, relative: str, is_dir: bool) -> None:
    assert resolve(path.format(root=root), [root]) == Location(root, relative, is_dir)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("..", "outside_roots"),
        ("../secret/s.py", "outside_roots"),
        ("pkg/../../secret/s.py", "outside_roots"),
        ("pkg/sub/../../../../../../../etc/passwd", "outside_roots"),
        ("{root}/../secret/s.py", "outside_roots"),
        ("{root}-secret/s.py", "outside_roots"),
        ("/etc/passwd", "outside_roots"),
        ("/nothing/at/all", "outside_roots"),
        ("/", "outside_roots"),
        ("//etc/passwd", "outside_roots"),
        ("/proc/self/root/etc/passwd", "outside_roots"),
        ("/proc/self/cwd", "outside_roots"),
        ("out", "outside_roots"),
        ("out/s.py", "outside_roots"),
        ("out/nothing.py", "outside_roots"),
        ("out.py", "outside_roots"),
        ("dangling_out.py", "outside_roots"),
        ("dangling.py", "file_not_found"),
        ("nothing.py", "file_not_found"),
        ("a.py/x", "file_not_found"),
        ("loop", "not_a_regular_file"),
        ("loop/x", "not_a_regular_file"),
        ("fifo.py", "not_a_regular_file"),
        ("", "file_not_found"),
        ("  ", "file_not_found"),
        ("\n", "file_not_found"),
        ("a.py\0", "file_not_found"),
        ("a.py\0/../../secret/s.py", "file_not_found"),
        ("\ud800", "file_not_found"),
        ("a\udcff.py", "file_not_found"),
        ("x" * 256, "file_not_found"),
        ("x/" * 5000, "file_not_found"),
        ("../" * 3000, "file_not_found"),
        ("%2e%2e/secret/s.py", "file_not_found"),
        ("..\\secret\\s.py", "file_not_found"),
        ("~/x", "file_not_found"),
        ("file:///etc/passwd", "file_not_found"),
    ],
)
def test_what_does_not_is_refused_with_the_reason(root: Path, path: str, reason: str) -> None:
    with pytest.raises(InvalidFilePath) as refusal:
        resolve(path.format(root=root), [root])
    assert refusal.value.reason == reason
    refusal.value.message.encode()
    assert "\0" not in refusal.value.path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.text(max_size=60)
    | st.lists(st.sampled_from(["..", ".", "pkg", "out", "in", "a.py", ""])).map("/".join)
)
def test_no_path_leads_out(root: Path, path: str) -> None:
    try:
        location = resolve(path, [root])
    except InvalidFilePath:
        return
    assert (root / location.relative).resolve().is_relative_to(root)
    assert (root / location.relative).resolve() == root / location.relative


def test_relative_paths_are_looked_for_in_the_base_first_and_then_in_every_root(tmp_path: Path) -> None:
    for folder in ("one", "two", "two/base"):
        (tmp_path / folder).mkdir()
    (tmp_path / "two" / "a.py").write_text("")
    (tmp_path / "two" / "base" / "a.py").write_text("")
    roots = [tmp_path / "one", tmp_path / "two"]
    assert resolve("a.py", roots) == Location(tmp_path / "two", "a.py", is_dir=False)
    assert resolve("a.py", roots, tmp_path / "two" / "base").relative == "base/a.py"
    assert resolve("../a.py", roots, tmp_path / "two" / "base").relative == "a.py"


def test_a_root_may_be_a_link_or_a_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(root)
    assert resolve("a.py", [tmp_path / "current"]) == Location(root, "a.py", is_dir=False)
    assert resolve(tmp_path / "current" / "a.py", [tmp_path / "current"]).relative == "a.py"
    assert resolve(root / "a.py", [tmp_path / "current"]).relative == "a.py"
    assert resolve(root / "a.py", [root / "a.py"]) == Location(root, "a.py", is_dir=False)
    with pytest.raises(InvalidFilePath):
        resolve(root / "pkg" / "b.py", [root / "a.py"])


def test_without_roots_nothing_is_allowed(root: Path) -> None:
    for path in ("a.py", str(root / "a.py")):
        with pytest.raises(InvalidFilePath) as refusal:
            resolve(path, [])
        assert refusal.value.reason == "outside_roots"


def test_what_may_not_be_read_is_refused(root: Path) -> None:
    (root / "a.py").chmod(0)
    with privileges.bound_by_modes(), pytest.raises(InvalidFilePath) as refusal:
        resolve("a.py", [root])
    assert refusal.value.reason == "not_readable"


def test_entries_tell_what_the_system_says(root: Path) -> None:
    with open_root(resolve(".", [root])) as tree:
        found = tree.discover(wanted=is_source)
    status = (root / "pkg" / "b.py").stat()
    identity = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
    assert found.entries[1] == Entry("pkg/b.py", *identity)
    assert [entry.path for entry in found.entries] == ["a.py", "pkg/b.py"]
    assert {(item.path, item.reason) for item in found.skipped} == {
        *(
            (name, "symlink")
            for name in ("out", "out.py", "in", "in.py", "dangling.py", "dangling_out.py", "loop")
        ),
        ("fifo.py", "fifo"),
    }


def test_paths_stay_relative_to_the_root_when_a_part_is_analysed(root: Path) -> None:
    with open_root(resolve("pkg", [root])) as tree:
        [entry] = tree.discover(wanted=is_source).entries
        assert entry.path == "pkg/b.py"
        assert tree.content(entry) == b"b = 1\n"


def test_a_file_asked_for_by_name_is_taken_though_ignored(root: Path) -> None:
    (root / ".gitignore").write_text("*.py\n")
    with open_root(resolve("a.py", [root])) as tree:
        assert [entry.path for entry in tree.discover(wanted=is_source).entries] == ["a.py"]
        assert tree.discover(wanted=lambda path: False).skipped == [Skipped("a.py", "unsupported")]


def test_what_is_never_source_is_not_walked(tmp_path: Path) -> None:
    for folder in (".git", ".hg", ".svn", "node_modules", "__pycache__", ".tox", "x/node_modules", "env/lib"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "x" / "lib.min.js").write_text("")
    (tmp_path / "x" / "b.py").write_text("")
    with open_root(resolve(tmp_path, [tmp_path])) as tree:
        found = tree.discover(wanted=is_source)
    assert [entry.path for entry in found.entries] == ["x/b.py"]
    assert found.skipped == [Skipped("env", "virtual_environment"), Skipped("x/lib.min.js", "minified")]


def test_sizes_are_limited_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_bytes(b"x" * 100)
    (tmp_path / "over.py").write_bytes(b"x" * 101)
    with open_root(resolve(tmp_path, [tmp_path])) as tree:
        found = tree.discover(wanted=is_source, limits=Limits(file_bytes=100))
        assert [entry.path for entry in found.entries] == ["fits.py"]
        assert found.skipped == [Skipped("over.py", "too_large")]
        assert tree.read("fits.py", 100) == b"x" * 100
        with pytest.raises(InvalidFilePath) as refusal:
            tree.read("over.py", 100)
    assert refusal.value.reason == "too_large"


@pytest.mark.parametrize(("nul_at", "binary"), [(0, True), (8191, True), (8192, False)])
def test_a_nul_near_the_start_means_binary(tmp_path: Path, nul_at: int, binary: bool) -> None:
    (tmp_path / "a.py").write_bytes(b"x" * nul_at + b"\0" + b"x" * 10)
    with open_root(resolve(tmp_path, [tmp_path])) as tree:
        [entry] = tree.discover(wanted=is_source).entries
        assert (tree.content(entry) == Skipped("a.py", "binary")) is binary


UNREADABLE = (
    *("out.py", "in.py", "out/s.py", "in/b.py", "../secret/s.py", "pkg/../../secret/s.py", "/etc/passwd"),
    *(
        "fifo.py",
        "pkg",
        "",
        ".",
        "a.py/",
        "nothing",
        "a\0",
        "\ud800",
        "loop",
        "x" * 300,
        "pkg/" * 2000 + "a.py",
    ),
)


@pytest.mark.parametrize("path", UNREADABLE)
def test_reads_take_regular_files_beneath_the_root_only(root: Path, path: str) -> None:
    with open_root(resolve(".", [root])) as tree, pytest.raises(InvalidFilePath):
        tree.read(path)


@pytest.mark.parametrize("opener", [open_beneath, open_by_components])
@pytest.mark.parametrize(
    "path", ["out.py", "in.py", "out/s.py", "in/b.py", "../secret/s.py", "pkg/../../secret/s.py"]
)
def test_both_ways_of_opening_refuse_links_and_ways_out(root: Path, opener: object, path: str) -> None:
    assert callable(opener)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(OSError, match=r"\[Errno") as refusal:
            opener(descriptor, path, READ)
        assert refusal.value.errno in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV)
        for good in ("a.py", "pkg/b.py"):
            opened = opener(descriptor, good, READ)
            assert os.read(opened, 100).endswith(b" = 1\n")
            os.close(opened)
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's list of descriptors")
def test_no_descriptor_is_left_open(root: Path) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    for path in (".", "pkg", "a.py"):
        with open_root(resolve(path, [root])) as tree:
            tree.discover(wanted=is_source, limits=Limits(files=1))
            tree.discover(wanted=is_source, limits=Limits(depth=0))
            for name in ("a.py", "out.py", "fifo.py", "pkg", "nothing"):
                with pytest.raises(InvalidFilePath):
                    tree.read(name, -1)
    assert opened() == before


@given(st.text())
def test_shown_names_are_harmless(name: str) -> None:
    text = shown(name)
    text.encode()
    assert not any(
        ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 or 0x202A <= ord(sign) <= 0x202E for sign in text
    )
