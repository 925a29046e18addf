"""The table of sources, and its page."""

import re
from pathlib import Path

from hefesto_api.formats.alerts import SOURCES
from tests.formats.alerts.reading import read
from tests.formats.alerts.samples import otlp, otlp_record

PAGE = Path(__file__).parents[3] / "docs" / "alert-sources.md"


def test_every_source_has_its_section() -> None:
    sections = re.findall(r"^## ([a-z]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == list(SOURCES)


def test_every_source_says_in_a_sentence_how_to_point_it_here() -> None:
    for source in SOURCES.values():
        assert source.setup.endswith(".")
        assert "\n" not in source.setup


def test_of_an_export_only_so_many_records_are_looked_at() -> None:
    calm = otlp_record(severityNumber=9, attributes=[])
    found = read("otlp", otlp(*[calm] * 10_001, otlp_record()))
    assert found.ignored == ("10000 records are neither exceptions nor errors",)
