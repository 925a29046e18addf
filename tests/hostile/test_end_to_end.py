"""Hostile trees, files and archives through the whole application: asked for, worked off, answered."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import tarfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import service
from hefesto_api.storage import analyses
from hefesto_api.web import context
from hefesto_api.worker import Worker
from tests.answers import data_of, error_of
from tests.hostile import trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from tests.hostile.trees import HostileTree
    from werkzeug.test import TestResponse

SHELL = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
RULE = "HEF-SEC-COMMAND-INJECTION"
FORMATS = ("json", "text", "html", "sarif")
DEPTH = 50_000
DEEP = {
    "deep.py": "(",
    "deep.js": "[",
    "deep.ts": "(",
    "deep.tsx": "<a>",
    "Deep.java": "{",
    "deep.go": "{",
}
ODD_MODULES = [name for name in trees.ODD_NAMES if name.strip(".") != "py"]  # that is no suffix
# What a terminal or a browser acts on, in the text of a report.
DRIVING = {chr(sign) for sign in (*range(0x20), *range(0x7F, 0xA0))} - {"\n", "\t"} | {"\u202e", "\u2028"}


class House:
    """The application on one root, with a worker that does what was asked for when told to."""

    def __init__(self, app: Flask, database: Path) -> None:
        self.client: FlaskClient = app.test_client()
        self.runtime: Runtime = app.extensions[context.KEY]
        self.worker = Worker(self.runtime, slots=1)
        self.database = database

    def analysed(self, **body: Any) -> Any:
        """Ask for an analysis, have it done and return the whole of it."""
        accepted = self.client.post("/api/v1/analyze", json={"async": True, **body})
        assert accepted.status_code == 202, accepted.get_data(as_text=True)
        return self.done(data_of(accepted)["analysis_id"])

    def uploaded(self, archive: bytes, **form: str) -> Any:
        """Upload an archive, have it looked at and return what the analysis became."""
        accepted = self.upload(archive, **form)
        assert accepted.status_code == 202, accepted.get_data(as_text=True)
        return self.done(data_of(accepted)["analysis_id"])

    def upload(self, archive: bytes, **form: str) -> TestResponse:
        """Upload an archive and return the answer."""
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="code.zip"\r\n\r\n'
        fields = {"async": "true", **form}
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{a}"\r\n\r\n{b}\r\n' for a, b in fields.items()
        ]
        body = "".join(parts).encode() + head + archive + b"\r\n--x--\r\n"
        return self.client.post("/api/v1/analyze", data=body, content_type="multipart/form-data; boundary=x")

    def done(self, analysis_id: str) -> Any:
        """Have the queue worked off and return an analysis with all its findings."""
        self.worker.drain()
        return data_of(self.client.get(f"/api/v1/analyze/{analysis_id}?severity=LOW"))

    def answers(self, analysis_id: str) -> dict[str, str]:
        """Return the analysis in every form it is answered in, and the lists that tell of it."""
        addresses = {name: f"/api/v1/analyze/{analysis_id}?severity=LOW&format={name}" for name in FORMATS}
        addresses |= {
            f"export {name}": f"/api/v1/findings/export?status=all&format={name}"
            for name in ("sarif", "csv", "json", "html", "junit", "codeclimate")
        }
        addresses["list"] = "/api/v1/findings?status=all&limit=1000"
        told = {name: self.client.get(url) for name, url in addresses.items()}
        assert {name: one.status_code for name, one in told.items() if one.status_code != 200} == {}
        return {name: one.get_data(as_text=True) for name, one in told.items()}

    def stored(self) -> bytes:
        """Return all that the database keeps on the disk."""
        return b"".join(path.read_bytes() for path in self.database.parent.glob(f"{self.database.name}*"))


@pytest.fixture
def house(make_app: Callable[..., Flask], tmp_path: Path) -> Iterator[Callable[[Path], House]]:
    """Make the application for a root."""
    houses: list[House] = []

    def make(root: Path) -> House:
        folder = tmp_path / "installation"
        folder.mkdir()
        database = folder / "hefesto.db"
        environ = {
            "HEFESTO_ROOTS": str(root),
            "HEFESTO_DATABASE_URL": f"sqlite:///{database}",
            "HEFESTO_ANALYSIS_PROCESSES": "2",
        }
        houses.append(House(make_app(all_settings.load(environ, folder)), database))
        return houses[-1]

    yield make
    for one in houses:
        one.worker.close()


@pytest.fixture
def bare(house: Callable[[Path], House], tmp_path: Path) -> House:
    """The application on an empty root `src`."""
    (tmp_path / "src").mkdir()
    return house(tmp_path / "src")


def driving(name: str, text: str) -> set[str]:
    """Return the characters of an answer that would drive what shows it.

    JSON and XML are for programs, which take no control characters as they are; a table holds names exactly.
    """
    text.encode()
    if "csv" in name:
        return set(text) & {"\0"}
    if name.removeprefix("export ") in {"text", "html"}:
        return set(text) & DRIVING
    return set(text) & {chr(sign) for sign in range(0x20)} - {"\n", "\t"}


def rules_of(data: Any) -> set[tuple[str, str]]:
    return {(one["file"], one["rule_id"]) for one in data["findings"]}


def reasons_of(data: Any) -> dict[str, str]:
    return {one["path"]: one["reason"].partition(" ")[0] for one in data["files_skipped"]}


def test_a_hostile_tree_is_analysed_and_gives_nothing_up(
    house: Callable[[Path], House], hostile_tree: HostileTree
) -> None:
    (hostile_tree.root / "good.py").write_text(SHELL)
    home = house(hostile_tree.root)
    data = home.analysed(path=str(hostile_tree.root))
    assert data["status"] == "completed"
    assert ("good.py", RULE) in rules_of(data), "the tree's own configuration of ruff was obeyed"
    assert data["files_analyzed"] >= len(hostile_tree.good)
    assert hostile_tree.skipped.items() <= reasons_of(data).items()
    told = home.answers(data["analysis_id"])
    assert [name for name, text in told.items() if trees.SECRET in text] == []
    assert trees.SECRET.encode() not in home.stored()
    assert not hostile_tree.canary.exists()


def test_the_service_function_says_the_same(
    house: Callable[[Path], House], hostile_tree: HostileTree
) -> None:
    home = house(hostile_tree.root)
    db = home.runtime.db
    asked = service.submit_path(db, [hostile_tree.root], {"path": str(hostile_tree.root)})
    home.worker.drain()
    with db.read() as session:
        record = analyses.get(session, asked.id)
        found = list(service.findings_of(session, record, Severity.LOW))
    assert record.status == "completed"
    assert {one.file for one in found} >= {"good.py"}
    skipped = {one["path"]: one["reason"].partition(" ")[0] for one in record.files_skipped}
    assert hostile_tree.skipped.items() <= skipped.items()
    assert not hostile_tree.canary.exists()


def test_a_second_look_finds_nothing_changed(
    house: Callable[[Path], House], hostile_tree: HostileTree
) -> None:
    home = house(hostile_tree.root)
    first = home.analysed(path=str(hostile_tree.root))
    second = home.analysed(path=str(hostile_tree.root))
    for name in ("summary", "files_analyzed", "files_skipped", "lines_of_code"):
        assert first[name] == second[name], name
    assert {one["id"] for one in first["findings"]} == {one["id"] for one in second["findings"]}


def test_names_drive_neither_terminal_nor_browser(bare: House, tmp_path: Path) -> None:
    for name in ODD_MODULES:
        (tmp_path / "src" / name).write_text(SHELL)
    os.mkfifo(tmp_path / "src" / "pipe\x1b]0;x\x07.py")
    (tmp_path / "src" / os.fsdecode(trees.UNDECODABLE)).write_text(SHELL)
    data = bare.analysed(path=str(tmp_path / "src"))
    assert len([one for one in data["findings"] if one["rule_id"] == RULE]) == len(ODD_MODULES)
    assert sorted(reasons_of(data).values()) == ["fifo", "undecodable_name"]
    for name, text in bare.answers(data["analysis_id"]).items():
        assert not driving(name, text), name
        assert "<img src=x" not in text or "html" not in name
    for path in reasons_of(data):
        assert not DRIVING & set(path)
    for line in bare.answers(data["analysis_id"])["export csv"].splitlines():
        assert not line.startswith(("=", "@", "+", "-")), line
        assert not any(f",{sign}" in line for sign in "=@"), line


@pytest.mark.parametrize("name", DEEP)
def test_nesting_costs_one_file_at_most(bare: House, tmp_path: Path, name: str) -> None:
    source = tmp_path / "src"
    (source / name).write_text(DEEP[name] * DEPTH)
    (source / "good.py").write_text(SHELL)
    data = bare.analysed(path=str(source))
    assert data["status"] == "completed"
    assert ("good.py", RULE) in rules_of(data)
    assert set(reasons_of(data)) <= {name}


def test_a_line_of_two_megabytes_costs_one_file_at_most(bare: House, tmp_path: Path) -> None:
    source = tmp_path / "src"
    line = f"a = '{'x' * (2 * 1024 * 1024 - 8)}'\n"
    for name in ("line.py", "line.js", "line.go", "Line.java", "line.ts"):
        (source / name).write_text(line)
    (source / "larger.py").write_text(line * 2)
    (source / "good.py").write_text(SHELL)
    data = bare.analysed(path=str(source))
    assert data["status"] == "completed"
    assert ("good.py", RULE) in rules_of(data)
    assert reasons_of(data)["larger.py"] == "too_large"
    assert "good.py" not in reasons_of(data)


def test_a_parser_that_is_killed_costs_at_most_its_file(bare: House, tmp_path: Path) -> None:
    source = tmp_path / "src"
    for number in range(200):
        (source / f"f{number}.py").write_text(f"# {number}\n{SHELL}" + "x = [1, (2, {3: 4})]\n" * 200)
    accepted = data_of(bare.client.post("/api/v1/analyze", json={"path": str(source), "async": True}))
    before = set(children())
    work = threading.Thread(target=bare.worker.drain)
    work.start()
    killed = kill_one(before)
    work.join()
    data = bare.done(accepted["analysis_id"])
    assert data["status"] == "completed"
    assert killed
    found = {path for path, rule in rules_of(data) if rule == RULE}
    assert len(found) >= 199
    assert len(found) + len(data["files_skipped"]) >= 200


def children() -> list[int]:
    """Return the parser processes of this process."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in pids if is_parser(pid)]


def is_parser(pid: int) -> bool:
    try:
        return b"hefesto_api.analyzers.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def kill_one(before: set[int], seconds: float = 30.0) -> bool:
    """Kill a parser process that is not of before, as soon as there is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in set(children()) - before:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def test_inline_files_with_odd_names_and_contents_are_analysed(bare: House) -> None:
    texts = {}
    for name, content in trees.ODD_CONTENTS.items():
        texts[f"contents/{name}"] = content.decode("utf-8", "replace").replace("\0", " ")
    texts |= {f"names/{number}-{name}": SHELL for number, name in enumerate(trees.ODD_NAMES)}
    texts["good.py"] = SHELL
    data = bare.analysed(files=[{"path": path, "content": text} for path, text in texts.items()])
    assert data["status"] == "completed"
    assert ("good.py", RULE) in rules_of(data)
    for name, text in bare.answers(data["analysis_id"]).items():
        assert not driving(name, text), name


@pytest.mark.parametrize("path", ["a\0.py", "\0"])
def test_nul_in_an_inline_name_is_refused(bare: House, path: str) -> None:
    refused = bare.client.post("/api/v1/analyze", json={"files": [{"path": path, "content": ""}]})
    assert refused.status_code == 400
    error_of(refused, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "path", ["../a.py", "/etc/passwd", "a/../../b.py", "C:\\a.py", "\\\\host\\a.py", "."]
)
def test_inline_names_that_lead_elsewhere_are_refused(bare: House, path: str) -> None:
    refused = bare.client.post("/api/v1/analyze", json={"files": [{"path": path, "content": "a = 1"}]})
    assert refused.status_code == 400, path
    error_of(refused, "INVALID_FILE_PATH")


def test_paths_that_lead_out_are_refused(house: Callable[[Path], House], hostile_tree: HostileTree) -> None:
    home = house(hostile_tree.root)
    outside = [str(hostile_tree.outside), "../outside", "links/secret.py", "links/root/etc/passwd", "/etc"]
    for path in [*outside, "links/environment.py", "specials/fifo.py", "specials/socket.py"]:
        refused = home.client.post("/api/v1/analyze", json={"path": path})
        assert refused.status_code == 400, path
        assert trees.SECRET not in refused.get_data(as_text=True)
        error_of(refused, "INVALID_FILE_PATH")


def trapped_zip() -> bytes:
    """A zip with names that lead out, a link, a nest, twins and one good file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.py", SHELL)
        archive.writestr("../evil.py", SHELL)
        archive.writestr("/absolute.py", SHELL)
        archive.writestr("inner.zip", b"PK\x03\x04")
        link = zipfile.ZipInfo("link.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return stream.getvalue()


def trapped_tar() -> bytes:
    """A tar with names that lead out, links, a device, a FIFO and one good file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        kinds = {
            "symlink.py": tarfile.SYMTYPE,
            "hardlink.py": tarfile.LNKTYPE,
            "device.py": tarfile.CHRTYPE,
            "fifo.py": tarfile.FIFOTYPE,
        }
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("good.py", "../evil.py", "/absolute.py", "esc\x1b[31m.py"):
            info = tarfile.TarInfo(name)
            info.size = len(SHELL)
            archive.addfile(info, io.BytesIO(SHELL.encode()))
    return stream.getvalue()


@pytest.mark.parametrize("archive", [trapped_zip(), trapped_tar()], ids=["zip", "tar.gz"])
def test_traps_of_an_archive_are_skipped_and_told_of(bare: House, archive: bytes) -> None:
    data = bare.uploaded(archive)
    assert data["status"] == "completed"
    assert ("good.py", RULE) in rules_of(data)
    reasons = reasons_of(data)
    assert reasons["../evil.py"] == "unsafe_name"
    assert reasons["/absolute.py"] == "unsafe_name"
    assert {path for path, _ in rules_of(data)} & {"evil.py", "../evil.py", "absolute.py"} == set()
    assert "root:" not in json.dumps(data)
    assert not any(DRIVING & set(path) for path in reasons)


def test_a_bomb_is_given_up(bare: House) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"bomb{number}.py", b"\n" * (1 << 30 >> 2))
    data = bare.uploaded(stream.getvalue())
    assert data["status"] in {"failed", "completed"}
    if data["status"] == "failed":
        assert data["error"]["code"] == "PAYLOAD_TOO_LARGE"
    else:
        assert set(reasons_of(data).values()) == {"too_large"}


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x03\x04" + b"\xff" * 100, b"\x1f\x8b" + b"\0" * 50]
)
def test_what_is_no_archive_fails_cleanly(bare: House, content: bytes) -> None:
    accepted = bare.upload(content)
    if accepted.status_code == 202:
        data = bare.done(data_of(accepted)["analysis_id"])
        assert data["status"] == "failed"
        assert data["error"]["code"] == "MALFORMED_REQUEST"
    else:
        assert accepted.status_code == 400
        error_of(accepted, "MALFORMED_REQUEST")
