"""Characters that deceive a reader are found where they deceive, and left alone where they do their work."""

import time

import pytest
from hefesto_api.analyzers import text_checks
from hefesto_api.analyzers.catalogue import RULES
from hefesto_api.domain.finding import Detection
from tests.analyzers.sources import parsed


def found_in(text: str | bytes, path: str = "a.py") -> list[Detection]:
    return list(text_checks.TEXT.check(parsed(text, path)))


def rules_in(text: str | bytes, path: str = "a.py") -> list[str]:
    return [one.rule_id for one in found_in(text, path)]


@pytest.mark.parametrize("character", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
@pytest.mark.parametrize("path", ["a.py", "a.js", "a.go", "A.java", "Dockerfile", "deploy.sh", "ci.yml"])
def test_bidirectional_controls(character: str, path: str) -> None:
    (one,) = found_in(f"a = 1\nb = 2 # {character} x\n", path)
    assert (one.rule_id, one.line, one.column) == ("HEF-SEC-BIDI-CONTROL", 2, 9)
    assert one.metadata["characters"] == [f"U+{ord(character):04X}"]
    assert character not in one.message


@pytest.mark.parametrize("path", ["locale/he/django.po", "README.md", "strings.json"])
def test_texts_for_people_may_use_them(path: str) -> None:
    assert rules_in("msgstr \u202bשלום\u202c\n", path) == []


def test_one_detection_a_line() -> None:
    assert len(found_in("x = '\u202e\u202d\u202e'\ny = '\u202e'\n")) == 2


@pytest.mark.parametrize(
    "line",
    [
        "const {\u3164} = query",
        "let a\u200bb = 1",
        "let user\u2060name = 1",
        "let a\u00adb = 1",
        "x = '" + "\ufe01" * 12 + "'",
        "x = '" + "\U000e0141" * 12 + "'",
    ],
)
def test_invisible_characters(line: str) -> None:
    assert rules_in(line + "\n", "a.js") == ["HEF-SEC-INVISIBLE-CHARACTER"]


@pytest.mark.parametrize(
    "line",
    [
        "x = '👩\u200d💻 ❤\ufe0f'",
        "x = 'می\u200cخواهم'",
        "x = '🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f'",
        "x = 'größe – “quoted”'",
        "x = '한\u3164글'",
    ],
)
def test_joiners_of_words_and_emoji_are_right(line: str) -> None:
    assert rules_in(line + "\n") == []


def test_byte_order_mark_at_the_start_is_none() -> None:
    assert rules_in("\ufeffx = 1\n") == []


@pytest.mark.parametrize(
    ("text", "path"), [("def is_\u0430dmin(): ...\n", "a.py"), ("let us\u0435r = 1\n", "a.js")]
)
def test_names_with_letters_that_look_latin(text: str, path: str) -> None:
    (one,) = found_in(text, path)
    assert one.rule_id == "HEF-SEC-HOMOGLYPH"
    assert one.metadata["characters"][0] in ("U+0430", "U+0435")


@pytest.mark.parametrize(
    "text",
    ["x = 'Cписок'\n", "# Cписок\n", "x = 'Аdmin'\n", "имя = 1\n", "Δt = 1\n", "größe = 1\n", "x = 'Р'\n"],
)
def test_texts_and_whole_words_of_other_scripts_are_right(text: str) -> None:
    assert rules_in(text) == []


def test_homoglyph_on_the_first_line_after_a_byte_order_mark() -> None:
    assert rules_in("\ufeff\u0430dmin = 1\n") == ["HEF-SEC-HOMOGLYPH"]


@pytest.mark.parametrize("character", ["\x1b", "\x08", "\x00"])
def test_raw_controls(character: str) -> None:
    (one,) = found_in(f"x = 1\ny = '{character}[31m'\n")
    assert (one.rule_id, one.line, one.column) == ("HEF-SEC-CONTROL-CHARACTER", 2, 6)


def test_escapes_and_form_feeds_are_right() -> None:
    assert rules_in("x = '\\x1b[31m'\n\x0cy = 1\n\tz = 2\n") == []


CONFLICT = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> topic\n"


@pytest.mark.parametrize("path", ["a.py", "a.js", "deploy.sh"])
def test_merge_conflicts(path: str) -> None:
    (one,) = found_in(CONFLICT + CONFLICT, path)[:1]
    assert (one.rule_id, one.line, one.end_line) == ("HEF-BP-MERGE-CONFLICT", 2, 6)
    assert len(found_in(CONFLICT + CONFLICT, path)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Heading\n=======\n",
        "<<<<<<< HEAD\nb = 1\n",
        "x = '<<<<<<< HEAD'\ny = '======='\nz = '>>>>>>> topic'\n",
        ">>>>>>> topic\n=======\n<<<<<<< HEAD\n",
        "=======\n>>>>>>> topic\n<<<<<<< HEAD\n",
    ],
)
def test_one_marker_alone_is_no_conflict(text: str) -> None:
    assert rules_in(text) == []


def test_bytes_that_are_no_text() -> None:
    assert rules_in(b"\xff\xfe\xe2\x80 x\n") == []


@pytest.mark.parametrize("row", ["\u202e = 1\n", "a\u200bb = 1\n", "\u0430b = 1\n", "\x1b\n", CONFLICT])
def test_malice_is_capped_and_takes_a_moment(row: str) -> None:
    source = parsed(row * (400_000 // len(row)))
    begun = time.process_time()
    found = list(text_checks.TEXT.check(source))
    assert time.process_time() - begun < 60  # what backtracks takes hours
    assert row == CONFLICT or len(found) <= text_checks.MAX_LINES


@pytest.mark.parametrize("rule_id", [text_checks.BIDI, text_checks.CONFLICT, text_checks.HOMOGLYPH])
def test_examples(rule_id: str) -> None:
    """The examples show what cannot be seen as escapes."""
    bad = RULES[rule_id].bad.encode().decode("unicode_escape")
    assert rule_id in rules_in(bad)
    assert rules_in(RULES[rule_id].good) == []
