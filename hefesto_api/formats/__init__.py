"""Reports in the formats that people and other tools read; pure functions from values to bytes."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hefesto_api.formats import codeclimate, csv, github, html, json, junit, sarif, text
from hefesto_api.formats.document import Report


class Format(NamedTuple):
    """How a report is written, under which media type and file ending."""

    write: Callable[[Report], Iterator[bytes]]
    media_type: str
    suffix: str


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "text": Format(text.write, "text/plain; charset=utf-8", ".txt"),
        "json": Format(json.write, "application/json", ".json"),
        "jsonl": Format(json.write_lines, "application/x-ndjson", ".jsonl"),
        "sarif": Format(sarif.write, "application/sarif+json", ".sarif"),
        "html": Format(html.write, "text/html; charset=utf-8", ".html"),
        "csv": Format(csv.write, "text/csv; charset=utf-8", ".csv"),
        "junit": Format(junit.write, "application/xml", ".xml"),
        "codeclimate": Format(codeclimate.write, "application/json", ".json"),
        "github": Format(github.write, "text/plain; charset=utf-8", ".txt"),
    }
)
