"""Words are found wherever they stand, by the C library or without it."""

from __future__ import annotations

import pytest
from hefesto_api.analyzers import needles
from hefesto_api.analyzers.needles import Needles

WORDS = (b"execute", b"x", b".raw(", b"a\0b", "é".encode())


@pytest.fixture(params=("C library", "in"), autouse=True)
def _searching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in":
        monkeypatch.setattr(needles, "_memmem", None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", []),
        (b"execut", [b"x"]),
        (b"cursor.execute", [b"execute", b"x"]),
        (b"execute(query)", [b"execute", b"x"]),
        (b"\0\0rows.raw(1)", [b".raw("]),
        (b"-a\0b-" * 3, [b"a\0b"]),
        ("café".encode(), ["é".encode()]),
        (b"." * 100_000 + b"x", [b"x"]),
    ],
)
def test_the_words_of_a_text_are_told_in_their_order(text: bytes, found: list[bytes]) -> None:
    assert Needles(WORDS).within(text) == found
