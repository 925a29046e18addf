"""Ruff, run once over a private folder of Python files with our own selection of its rules.

Nothing of the analysed tree configures it: no configuration file, no cache, no environment, no comments.
`rules/ruff.toml` says what each of its codes means to us, `ruff_narrowing` which hits we do not pass on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hefesto_api.analyzers import catalogue, ruff_narrowing
from hefesto_api.domain.errors import AnalysisFailed, AnalyzerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hefesto_api.analyzers.base import BatchTool, SourceFile
    from hefesto_api.domain.finding import Detection

NAME: Final = "ruff"
TIMEOUT_SECONDS: Final = 120.0
MAX_OUTPUT_BYTES: Final = 256 << 20
_OPTIONS: Final = ("exclude = []", "force-exclude = false", "builtins = ['_']")


class _Position(msgspec.Struct):
    row: int
    column: int


class _Hit(msgspec.Struct):
    code: str | None
    filename: str
    message: str
    location: _Position
    end_location: _Position


_HITS: Final = msgspec.json.Decoder(_Hit)


@cache
def codes() -> tuple[str, ...]:
    """Return the codes of ruff that the catalogue gives a meaning."""
    sources = (source.partition(":") for entry in catalogue.RULES.values() for source in entry.sources)
    return tuple(sorted(code for tool, _, code in sources if tool == NAME))


@cache
def _binary() -> str:
    """Return the path of the ruff that was installed with us; raise AnalyzerUnavailable."""
    # The single-file binary brings its own; beside it may lie any other.
    folders = [getattr(sys, "_MEIPASS", ""), sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    for folder in filter(None, folders):
        candidate = Path(folder, "ruff.exe" if os.name == "nt" else "ruff")
        if candidate.is_file():
            return str(candidate)
    raise AnalyzerUnavailable(
        "ruff is not installed beside this Python.", service=NAME, reason="not installed"
    )


@cache
def _argv() -> tuple[str, ...]:
    return (
        *(_binary(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--no-respect-gitignore"),
        *("--exit-zero", "--quiet", "--output-format=json-lines", "--target-version=py314"),
        f"--select={','.join(codes())}",
        *(part for option in _OPTIONS for part in ("--config", option)),
        ".",
    )


def _said(folder: Path) -> bytes:
    """Return what ruff says about a folder; raise AnalysisFailed when it fails, hangs or says too much."""
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - an argv of ours, without a shell
            _argv(), cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        ) as process,
    ):
        alarm = threading.Timer(TIMEOUT_SECONDS, process.kill)
        alarm.start()
        try:
            output = b"" if process.stdout is None else process.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(output) > MAX_OUTPUT_BYTES:
                process.kill()
            status = process.wait()
        finally:
            alarm.cancel()
        if status:
            complaints.seek(0)
            raise AnalysisFailed(
                f"ruff did not finish ({_reason(status, complaints.read(2000))}).", tool=NAME
            )
    return output


def _hits(folder: Path) -> list[_Hit]:
    """Return ruff's hits in a folder; raise AnalyzerUnavailable or AnalysisFailed, nothing else."""
    try:
        return _HITS.decode_lines(_said(folder))
    except OSError as error:
        raise AnalyzerUnavailable("ruff could not be started.", service=NAME, reason=str(error)) from error
    except msgspec.DecodeError as error:
        raise AnalysisFailed("ruff's answer could not be read.", tool=NAME) from error


def _reason(status: int, complaint: bytes) -> str:
    if status < 0:
        return "stopped: it took too long or said too much"
    return complaint.decode(errors="replace").strip() or f"exit status {status}"


def _by_name(hits: Iterable[_Hit], folder: Path) -> Iterator[tuple[str, list[_Hit]]]:
    """Group hits by the file's name within the folder; what ruff could not read is no hit."""
    prefix = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 - the one that ends in a separator
    groups: dict[str, list[_Hit]] = {}
    for hit in hits:
        if hit.code is not None and hit.code != "invalid-syntax":
            groups.setdefault(hit.filename, []).append(hit)
    for filename, group in groups.items():
        yield filename.removeprefix(prefix).replace(os.sep, "/"), group


def _detections(hits: Iterable[_Hit], file: SourceFile) -> Iterator[Detection]:
    source = ruff_narrowing.Source(file.path, file.content)
    for hit in hits:
        entry = catalogue.by_source(f"{NAME}:{hit.code}")
        if entry is None:
            continue
        start, end = hit.location, hit.end_location
        place = ruff_narrowing.Place(
            hit.code or "", hit.message, source, start.row, start.column, end.row, end.column
        )
        overrides = ruff_narrowing.judge(place)
        if overrides is None:
            continue
        known: dict[str, Any] = {
            "message": place.message,
            "column": start.column,
            "end_line": end.row,
            "end_column": end.column,
        }
        found = catalogue.detection(entry.id, tool=NAME, line=start.row, **(known | overrides))
        weighed = catalogue.in_context(found, file.path)
        if weighed is not None:
            yield weighed


class _Ruff:
    """The port's form of this module; it has no state."""

    name = NAME
    languages = frozenset({"python"})

    def version(self) -> str:
        """Return ruff's version; raise AnalyzerUnavailable when it is not installed."""
        _binary()
        return metadata.version("ruff")

    def run(self, folder: Path, files: Sequence[tuple[str, SourceFile]]) -> dict[str, list[Detection]]:
        """Check the files of a folder, named relative to it and ending in `.py` or `.pyi`.

        Answers the detections of the files that have some. Files that ruff cannot parse have none: the
        structure's `error_line` tells of them. Raises AnalyzerUnavailable and AnalysisFailed.
        """
        sources = dict(files)
        if not sources:
            return {}
        found = {
            name: list(_detections(hits, sources[name]))
            for name, hits in _by_name(_hits(folder), folder)
            if name in sources
        }
        return {name: detections for name, detections in found.items() if detections}


RUFF: Final[BatchTool] = _Ruff()
