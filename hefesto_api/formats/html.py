"""The report as one HTML page: no script, nothing loaded, all text escaped, light and dark."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from markupsafe import Markup
from msgspec import Struct

from hefesto_api.domain.finding import Severity
from hefesto_api.formats.document import Report, ReportFinding, by_file, frame
from hefesto_api.formats.safe import for_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jinja2 import Environment, Template

_CHUNK = 64  # template pieces sent together

Frame = list[tuple[int | None, str, bool]]


class _File(Struct, frozen=True):
    """A file with its findings, each with the code to show."""

    path: str
    findings: list[tuple[ReportFinding, Frame]]


def write(report: Report) -> Iterator[bytes]:
    """Yield the page in pieces; one file's findings are held at a time."""
    template, style = _template(), _style()
    stream = template.stream(
        report=report,
        files=_files(report),
        severities=[severity.value.lower() for severity in reversed(Severity)],
        counts=_counts(report),
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'",
    )
    stream.enable_buffering(_CHUNK)
    yield from (piece.encode() for piece in stream)


def _files(report: Report) -> Iterable[_File]:
    for path, findings in by_file(report):
        lines = report.source_of(path)
        yield _File(path, [(finding, frame(finding, lines)) for finding in findings])


def _counts(report: Report) -> dict[str, int]:
    summary = report.summary
    return {
        "critical": summary.critical,
        "high": summary.high,
        "medium": summary.medium,
        "low": summary.low,
    }


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - 20 ms of any start

    return Environment(
        loader=PackageLoader("hefesto_api.formats"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


@cache
def _template() -> Template:
    return _environment().get_template("report.html")


def _shown(value: object) -> object:
    """Let no text of others reorder or hide what is around it; markup of ours is left alone."""
    return for_terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> str:
    environment = _environment()
    assert environment.loader is not None  # noqa: S101 - made so
    source, _, _ = environment.loader.get_source(environment, "report.css")
    return source


def _digest(style: str) -> str:
    """Return the hash by which the page's policy allows its one style sheet."""
    return f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}"
