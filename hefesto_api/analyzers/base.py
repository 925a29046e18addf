"""What passes between the parts of the engine: a source file in, a report out, and the ports of a tool.

A *check* looks at one parsed file inside a parser child (a locked-down process, see `engine`); a *batch
tool* is a command that is run once over a private copy of many files. Both answer `Detection`s.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from hefesto_api.domain.finding import Detection, Group
from hefesto_api.domain.identity import Fingerprints
from hefesto_api.domain.structure import FileStructure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tree_sitter import Tree


class SourceFile(Struct, frozen=True):
    """A file as the workspace read it: `path` is relative, with `/`; `language` is a name of `structure`."""

    path: str
    content: bytes
    language: str | None


class ParsedFile(Struct, frozen=True, dict=True):
    """What a check sees. `lines` are the text's lines without their ends; `tree` is tree-sitter's."""

    path: str
    language: str
    content: bytes
    text: str
    lines: list[str]
    tree: Tree | None
    structure: FileStructure

    @cached_property
    def squeezed(self) -> bytes:
        """The content without the white space in its lines: what comparing it with other files looks at."""
        content = self.content
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return content.translate(None, b" \t\f\v")

    @cached_property
    def squeezed_lines(self) -> list[bytes]:
        """The lines of `squeezed`; the last one is empty where the content ends with its line."""
        return self.squeezed.split(b"\n")


class ToolFailure(Struct, frozen=True):
    """A tool that did not look at this file, and why: its rules close nothing in it."""

    tool: str
    reason: str


class FileReport(Struct, frozen=True):
    """All that is known about one content: computed once, kept by the hash of the content.

    `fingerprints[i]` belongs to `detections[i]`. `shingles` are the packed window hashes that duplicate
    detection compares across files (see `duplication`). `skipped` says why nothing is known. `sketch` is
    what a renamed file is known again by (see `domain.identity`).
    """

    language: str | None = None
    structure: FileStructure | None = None
    detections: tuple[Detection, ...] = ()
    fingerprints: tuple[Fingerprints, ...] = ()
    shingles: bytes = b""
    failures: tuple[ToolFailure, ...] = ()
    skipped: str | None = None
    sketch: tuple[int, ...] = ()


class Examination(Struct, frozen=True):
    """A file to examine, with what the batch tools said of it already."""

    source: SourceFile
    detections: tuple[Detection, ...] = ()
    failures: tuple[ToolFailure, ...] = ()
    only_given: bool = False  # ask no check: describe what was found elsewhere
    shape: FileStructure | None = None  # what is on record of this content: saves parsing it again


class Check(Protocol):
    """A check of ours on one parsed file. It must not execute, import or open anything."""

    @property
    def name(self) -> str:
        """The `tool` of its detections."""

    @property
    def languages(self) -> frozenset[str]:
        """What it is asked about; empty: every language."""

    def check(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield what is wrong in one file; never raise for what the file contains."""


class BatchTool(Protocol):
    """A command run over a private folder of files, with our configuration and an empty environment."""

    @property
    def name(self) -> str:
        """The `tool` of its detections."""

    @property
    def languages(self) -> frozenset[str]:
        """What it is asked about."""

    def version(self) -> str:
        """Return the tool's version; raise AnalyzerUnavailable when it is not installed."""

    def run(self, folder: Path, files: Sequence[tuple[str, SourceFile]]) -> dict[str, list[Detection]]:
        """Check the files, given as (name within `folder`, source); answer detections by that name.

        Raises AnalyzerUnavailable or AnalysisFailed; the caller then reports the tool as failed.
        """


class RuleInfo(Struct, frozen=True):
    """One entry of the catalogue.

    `slug` is the short type (`sql_injection`); `sources` are the tools' own codes that map here
    (`ruff:S608`); `aliases` are former ids of this rule; `explanation`, `bad` and `good` are for people.
    """

    id: str
    slug: str
    title: str
    analyzer: Group
    severity: str
    confidence: float
    recommendation: str
    sources: tuple[str, ...] = ()
    cwe: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    explanation: str = ""
    bad: str = ""
    good: str = ""
    aliases: tuple[str, ...] = ()
    in_tests: bool = True
