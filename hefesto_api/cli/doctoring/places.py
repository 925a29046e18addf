"""Mistakes of places: the database's folder, its disk, the trees to be analysed, the log, the page."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hefesto_api.adapters import history
from hefesto_api.analyzers import registry
from hefesto_api.cli.doctoring.values import Complaint, Patient, error, warning
from hefesto_api.storage import sqlite
from hefesto_api.web import frontend

MOUNTS = Path("/proc/self/mounts")
_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs",
    "virtiofs",
})  # fmt: skip
_SOUND_SQLITE = (3, 51, 3)
_LEAST_FREE, _LEAST_BYTES = 0.05, 200 << 20
_LARGE_WAL = 256 << 20
_LEAST_FILES = 4096


def database_folder(patient: Patient) -> Iterator[Complaint]:
    """Whether the database's folder and files are ours to write, and ours alone."""
    path = _file(patient)
    if path is None or not path.parent.exists():
        return
    folder, me = path.parent, os.geteuid()
    if not os.access(folder, os.W_OK | os.X_OK):
        yield error(
            f"The database's folder {folder} cannot be written by this account.",
            "SQLite makes files beside the database: nothing can be stored.",
            f"chown -R {me} {folder}",
        )
    if folder.stat().st_mode & 0o022:
        yield error(
            f"Other accounts may write to the database's folder {folder}.",
            "They can put another database there, or take it away.",
            f"chmod 700 {folder}",
        )
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if not file.exists():
            continue
        about = file.stat()
        if not os.access(file, os.R_OK | os.W_OK) or (me == 0 and about.st_uid != folder.stat().st_uid):
            yield error(
                f"{file} belongs to another account than its folder, or cannot be written.",
                "The service cannot use it: it was probably made by a command that ran as another account.",
                f"chown {folder.stat().st_uid} {path}*",
            )
        if about.st_mode & 0o077:
            yield error(
                f"{file} can be read by other accounts.",
                "It holds code, accounts and hashes of keys.",
                f"chmod 600 {path}*",
            )


def file_system(patient: Patient) -> Iterator[Complaint]:
    """SQLite on a file system of the network."""
    path = _file(patient)
    if path is None:
        return
    kind = _kind_of(path)
    if kind in _NETWORK:
        yield error(
            f"The database {path} is on a network file system ({kind}).",
            "SQLite's WAL needs memory that processes share, and locks that hold: the file will be damaged.",
            "export HEFESTO_DATABASE_URL=sqlite:////var/lib/hefesto/hefesto.db (a local disk), or PostgreSQL",
        )


def sqlite_library(patient: Patient) -> Iterator[Complaint]:
    """A SQLite with a bug that damages files."""
    if patient.db.is_sqlite and sqlite.library().sqlite_version_info < _SOUND_SQLITE:
        yield warning(
            f"SQLite {sqlite.library().sqlite_version} has a rare bug that damages files (fixed in 3.51.3).",
            "Two processes that reset the WAL at once can leave the database damaged.",
            "pip install 'pysqlite3>=0.6.1'",
        )


def disk(patient: Patient) -> Iterator[Complaint]:
    """Room on the disks: the database's, and the temporary files'."""
    path = _file(patient)
    places = {"the database": _existing(path.parent) if path else None, "temporary files": _temporary()}
    for what, place in places.items():
        if place is None:
            continue
        usage, files = shutil.disk_usage(place), os.statvfs(place)
        if usage.free < max(usage.total * _LEAST_FREE, min(_LEAST_BYTES, usage.total // 4)):
            yield error(
                f"The disk of {what} ({place}) has {usage.free >> 20} MB left of {usage.total >> 20}.",
                "When it is full, every write is refused with 503.",
                f"du -xh {place} | sort -h | tail; see HEFESTO_RETAIN_ANALYSES_DAYS",
            )
        elif files.f_files and files.f_favail < files.f_files * 0.02:
            yield error(
                f"The disk of {what} ({place}) has hardly any inodes left.",
                "No file can be made, though there is room.",
                f"du -x --inodes {place} | sort -n | tail",
            )
    wal = path.with_name(f"{path.name}-wal") if path else None
    if wal is not None and wal.exists() and wal.stat().st_size > _LARGE_WAL:
        yield warning(
            f"{wal} has {wal.stat().st_size >> 20} MB.",
            "Some process has been reading for long, and the log of changes cannot be emptied.",
            "systemctl restart hefesto (a backup or another program may hold it open)",
        )


def roots(patient: Patient) -> Iterator[Complaint]:
    """What may be analysed."""
    for root in patient.settings.roots:
        if not root.is_dir():
            yield error(
                f"HEFESTO_ROOTS names {root}, which is no folder here.",
                "Analyses of it are refused with INVALID_FILE_PATH.",
                f"mkdir -p {root}, or mount it there, or set HEFESTO_ROOTS",
            )
        elif not os.access(root, os.R_OK | os.X_OK):
            yield error(
                f"{root} cannot be read by this account.",
                "Analyses of it find no files.",
                f"setfacl -R -m u:{os.geteuid()}:rX {root}",
            )


def git(patient: Patient) -> Iterator[Complaint]:
    """The history of what may be analysed."""
    try:
        import pygit2  # noqa: F401, PLC0415 - takes 70 ms
    except ImportError:
        yield error(
            "The library that reads git histories (pygit2) cannot be loaded.",
            "No suspect commits, no changes of a line, no analysis against a base.",
            "pip install --force-reinstall pygit2",
        )
        return
    for root in patient.settings.roots:
        if not (root / ".git").exists() or not os.access(root, os.R_OK | os.X_OK):
            continue
        opened = history.open_history(root)
        if isinstance(opened, history.NoHistory):
            yield warning(
                f"The git history of {root} cannot be used: {opened.reason or 'it cannot be read'}.",
                "No suspect commits, no changes of a line.",
                f"git -C {root} fsck",
            )


def analyzers(_patient: Patient) -> Iterator[Complaint]:
    """The tools that analyses are made with."""
    for part, state in registry.availability().items():
        if state != "available":
            yield error(
                f"{part} does not work.",
                "What it finds is missing from every analysis.",
                f"pip install --force-reinstall {part.replace('_', '-')}",
            )


def page(_patient: Patient) -> Iterator[Complaint]:
    """The dashboard."""
    if frontend.built() is None:
        yield warning(
            "The page at /dashboard is not built.",
            "A plain page is shown in its place; the API is whole.",
            "make dashboard",
        )


def log_file(patient: Patient) -> Iterator[Complaint]:
    """The log."""
    if not patient.settings.log_file:
        return
    path = Path(patient.settings.log_file).absolute()
    target = path if path.exists() else _existing(path.parent)
    if not os.access(target, os.W_OK) or path.is_dir():
        yield error(
            f"HEFESTO_LOG_FILE {path} cannot be written by this account.",
            "The service does not start.",
            f"install -d -o {os.geteuid()} {path.parent}",
        )


def open_files(_patient: Patient) -> Iterator[Complaint]:
    """How many files a process may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _LEAST_FILES:
        yield warning(
            f"A process may open {hard} files at most.",
            "Each connection is one: the live feed and slow clients use them up.",
            "ulimit -n 65536 (systemd: LimitNOFILE=65536; Docker: --ulimit nofile=65536)",
        )


def _file(patient: Patient) -> Path | None:
    return Path(str(patient.db.url.database)) if patient.db.is_sqlite else None


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _temporary() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def _kind_of(path: Path) -> str:
    """Return the kind of file system that a path is on, by the longest mount above it."""
    real, best, kind = os.path.realpath(path), "", ""
    try:
        lines = MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, place, found, *_ = line.split(" ")
        place = place.replace("\\040", " ").rstrip("/")
        if (real == place or real.startswith(f"{place}/")) and len(place) >= len(best):
            best, kind = place, found
    return kind
