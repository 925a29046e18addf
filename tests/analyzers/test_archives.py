"""Archives and inline files: what comes out, what is left out and why, and what no archive may do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hefesto_api.analyzers.archives import Member, extract, inline
from hefesto_api.analyzers.workspace import Limits, Skipped
from hefesto_api.domain.errors import HefestoError, InvalidFilePath, MalformedRequest, PayloadTooLarge
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILES = {
    "shop/app.py": b"a = 1\n",
    "shop/db/__init__.py": b"",
    "caf\u00e9.py": b"# \xc3\xa9\n",
    "notes.md": b"x",
}
MEBIBYTE = 1024 * 1024


def is_python(path: str) -> bool:
    return path.endswith(".py")


def zipped(files: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def unpack(
    content: bytes, limits: Limits | None = None, exclude: tuple[str, ...] = ()
) -> dict[str, bytes | str]:
    """Return contents and reasons by path."""
    found = extract(io.BytesIO(content), wanted=is_python, exclude=exclude, limits=limits)
    return {item.path: item.content if isinstance(item, Member) else item.reason for item in found}


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dialect", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_wanted_files_come_out_of_a_tar(form: str, dialect: int) -> None:
    expected = {path: content for path, content in FILES.items() if is_python(path)}
    assert unpack(FORMATS[form](tarred(FILES.items(), dialect))) == expected


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_wanted_files_come_out_of_a_zip(method: int) -> None:
    expected = {path: content for path, content in FILES.items() if is_python(path)}
    assert unpack(zipped(FILES.items(), method)) == expected


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_long_names_and_large_files_survive(pack: Callable[..., bytes]) -> None:
    name = "/".join(["d" * 200] * 5) + "/a.py"
    content = b"x = 1\n" * 300_000
    assert unpack(pack([(name, content)])) == {name: content}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_empty_archive_is_an_archive(pack: Callable[..., bytes]) -> None:
    assert unpack(pack([])) == {}


UNSAFE = (
    *(
        "/etc/cron.py",
        "../a.py",
        "x/../../a.py",
        "x/../a.py",
        "..\\a.py",
        "C:\\a.py",
        "c:/a.py",
        "\\a.py",
        "//a.py",
    ),
    *("x" * 256 + ".py", "/".join(["d" * 200] * 30) + "/a.py"),
)


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_elsewhere_are_left_out(pack: Callable[..., bytes], name: str) -> None:
    found = unpack(pack([(name, b"bad"), ("good.py", b"good")]))
    assert sorted(map(str, found.values())) == ["b'good'", "unsafe_name"]


@pytest.mark.parametrize(("name", "path"), [("./a.py", "a.py"), ("x//a.py", "x/a.py"), ("x\\a.py", "x/a.py")])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_are_written_one_way(pack: Callable[..., bytes], name: str, path: str) -> None:
    assert unpack(pack([(name, b"x")])) == {path: b"x"}


def test_a_nul_in_a_name_is_seen() -> None:
    content = zipped([("a.pyX.txt", b"x")]).replace(b"a.pyX.txt", b"a.py\0.txt")
    assert unpack(content) == {"a.py\\x00.txt": "unsafe_name"}
    named = tarfile.TarInfo("short")
    named.pax_headers = {"path": "a.py\0.txt"}
    assert unpack(named.tobuf(tarfile.PAX_FORMAT) + bytes(1024)) == {"a.py\\x00.txt": "unsafe_name"}


def test_names_for_terminals_are_escaped() -> None:
    assert unpack(zipped([("\x1b[2J\n/../a.py", b"x")])) == {"\\x1b[2J\\x0a/../a.py": "unsafe_name"}


def test_names_that_are_no_text_are_left_out() -> None:
    assert unpack(tarred([("a\udcff.py", b"x")], tarfile.GNU_FORMAT)) == {"a\\xff.py": "undecodable_name"}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_only_the_first_of_two_equal_names_counts(pack: Callable[..., bytes]) -> None:
    content = pack([("x/a.py", b"first"), ("x/b.py", b"b"), ("./x//a.pY".replace("pY", "py"), b"second")])
    found = list(extract(io.BytesIO(content), wanted=is_python))
    assert found == [Member("x/a.py", b"first"), Member("x/b.py", b"b"), Skipped("./x//a.py", "duplicate")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "symlink"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "fifo"),
    ],
)
def test_only_regular_files_come_out_of_a_tar(kind: bytes, reason: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("trap.py")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
        after = tarfile.TarInfo("a.py")
        after.size = 1
        archive.addfile(after, io.BytesIO(b"x"))
    assert unpack(stream.getvalue()) == {"trap.py": reason, "a.py": b"x"}


def test_links_do_not_come_out_of_a_zip() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        link = zipfile.ZipInfo("trap.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert unpack(stream.getvalue()) == {"trap.py": "symlink"}


def test_encrypted_entries_are_told_of() -> None:
    content = bytearray(zipped([("a.py", b"secret")]))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert unpack(bytes(content)) == {"a.py": "encrypted"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_methods_are_told_of(method: int) -> None:
    assert unpack(zipped([("a.py", b"x")], method)) == {"a.py": "unsupported"}


def test_a_wrong_checksum_is_told_of() -> None:
    content = zipped([("a.py", b"content"), ("b.py", b"b")], zipfile.ZIP_STORED).replace(
        b"content", b"CONTENT", 1
    )
    assert unpack(content) == {"a.py": "damaged", "b.py": b"b"}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_what_is_no_source_is_left_out(pack: Callable[..., bytes]) -> None:
    files = {
        "big.py": b"x" * 2001,
        "fits.py": b"x" * 2000,
        "raw.py": b"a\0b",
        "node_modules/x/a.py": b"",
        "x/__pycache__/a.py": b"",
        "gen/a.py": b"",
        "inner.zip": zipped([("a.py", b"x")]),
    }
    found = unpack(pack(files.items()), Limits(file_bytes=2000), ("gen/", "!fits.py"))
    assert found == {"big.py": "too_large", "fits.py": b"x" * 2000, "raw.py": "binary"}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_bomb_is_stopped(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(tarred([("big.txt", bytes(64 * MEBIBYTE)), ("a.py", b"x")]))
    assert len(bomb) < MEBIBYTE
    with pytest.raises(PayloadTooLarge):
        unpack(bomb)


def test_a_zip_bomb_of_many_files_is_stopped() -> None:
    bomb = zipped((f"{number}.py", b" " * 2 * MEBIBYTE) for number in range(32))
    assert len(bomb) < MEBIBYTE
    with pytest.raises(PayloadTooLarge):
        unpack(bomb)


def test_a_zip_that_understates_its_sizes_gives_no_more_than_the_limit() -> None:
    content = bytearray(zipped([("a.py", b" " * 5000)]))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    found = unpack(bytes(content), Limits(file_bytes=2000))
    assert found["a.py"] in ("too_large", "damaged")


def test_overlapping_entries_are_refused() -> None:
    content = bytearray(zipped([(f"{number}.py", b"x" * 1000) for number in range(2)], zipfile.ZIP_STORED))
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", content, second + 42, 0)
    with pytest.raises(MalformedRequest, match="overlap"):
        unpack(bytes(content))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_entries_are_refused(pack: Callable[..., bytes]) -> None:
    content = pack([(f"{number}.txt", b"") for number in range(11)])
    with pytest.raises(PayloadTooLarge, match="too many entries"):
        unpack(content, Limits(files=10))


def test_a_zip_with_a_giant_directory_is_refused_before_it_is_read() -> None:
    entry = zipped([("a", b"")])
    one = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    count = 17 * MEBIBYTE // len(one)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, count * len(one), 0, 0)
    with pytest.raises(PayloadTooLarge):
        unpack(b"PK\x03\x04" + one * count + end)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_header_that_wants_memory_is_refused(kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 8 * 1024**3 - 1
    with pytest.raises(MalformedRequest):
        unpack(header.tobuf(tarfile.GNU_FORMAT) + bytes(MEBIBYTE))


def test_a_chain_of_tar_headers_is_refused() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 512
    with pytest.raises(MalformedRequest):
        unpack((header.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * 5000)


def test_an_xz_that_wants_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    with pytest.raises(MalformedRequest):
        unpack(lzma.compress(tarred([("a.py", b"x")]), filters=filters))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04", b"import os\n", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0\0"]
)
def test_what_is_no_archive_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedRequest):
        unpack(content)


@pytest.mark.parametrize("form", ["zip", *FORMATS])
def test_a_cut_archive_is_malformed(form: str) -> None:
    files = [(f"{number}.py", bytes(range(48, 58)) * 300) for number in range(20)]
    content = zipped(files) if form == "zip" else FORMATS[form](tarred(files))
    for part in (0.3, 0.5, 0.7):
        with pytest.raises(MalformedRequest):
            unpack(content[: int(len(content) * part)])


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["zip", *FORMATS]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
)
def test_no_damage_raises_what_we_do_not_name(form: str, damage: list[tuple[int, int]]) -> None:
    content = bytearray(zipped(FILES.items()) if form == "zip" else FORMATS[form](tarred(FILES.items())))
    for place, value in damage:
        content[place % len(content)] = value
    try:
        unpack(bytes(content))
    except HefestoError as error:
        assert isinstance(error, MalformedRequest | PayloadTooLarge)


def test_inline_files_follow_the_same_rules() -> None:
    files = [
        ("./a.py", "é"),
        ("src\\b.py", ""),
        ("a.py", "again"),
        ("raw.py", "\0"),
        ("x.md", ""),
        ("s.py", "\ud800"),
    ]
    assert list(inline(files, wanted=is_python)) == [
        Member("a.py", "é".encode()),
        Member("src/b.py", b""),
        Skipped("a.py", "duplicate"),
        Skipped("raw.py", "binary"),
        Member("s.py", b"?"),
    ]


@pytest.mark.parametrize("name", ["", ".", "/", "..", *UNSAFE])
def test_inline_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InvalidFilePath) as refusal:
        list(inline([(name, "x")], wanted=is_python))
    assert refusal.value.reason == "outside_roots"


def test_a_nul_in_an_inline_name_is_malformed() -> None:
    with pytest.raises(MalformedRequest):
        list(inline([("a\0.py", "x")], wanted=is_python))
