"""A report is read result by result, and is taken for what a reader of the whole would take it for."""

from __future__ import annotations

import json
import mmap
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hefesto_api.domain.errors import HefestoError, Invalid, MalformedRequest
from hefesto_api.formats.sarif import open_report
from hefesto_api.formats.sarif.scanner import scan
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": '
TAIL = b"}]}"


def results_of(text: bytes) -> list[list[bytes]]:
    found = scan(text, most=100)
    return [[text[a:b] for a, b in zip(run.begins, run.ends, strict=True)] for run in found.runs]


def test_results_are_found_between_all_else() -> None:
    text = b'{"x": {"results": [{}]}, "runs": [{"results": [{"a": "]}"}, {"b": [[{}]]}], "y": []}, {}]}'
    assert results_of(text) == [[b'{"a": "]}"}', b'{"b": [[{}]]}'], []]
    rest = b'{"x": {"results": [{}]}, "runs": [{"results": [], "y": []}, {}]}'
    assert scan(text, most=100).rest == rest


@pytest.mark.parametrize("depth", [0, 1, 9, 10, 11, 12, 13, 40])
def test_results_end_where_they_end_however_deep_they_are(depth: int) -> None:
    within = (
        b'{"a": [' * (depth // 2) + b"[" * (depth % 2) + b'"]}"' + b"]" * (depth % 2) + b"]}" * (depth // 2)
    )
    results = [b'{"b": ' + within + b', "c": {}}', b'{"d": ' + within + b"}"]
    assert results_of(HEAD + b"[" + b" , ".join(results) + b"]" + TAIL) == [results]


def test_what_stands_in_texts_is_text() -> None:
    text = HEAD + rb'[{"a": "\\", "b": "\"results\": [{"}]' + TAIL
    assert results_of(text) == [[rb'{"a": "\\", "b": "\"results\": [{"}']]
    assert results_of(rb'{"runs": [{"x\"results": [{}]}]}') == [[]]


@pytest.mark.parametrize(
    "results",
    [b"[{} {}]", b"[,{}]", b"[{},]", b"[1]", b"[null]", b"[{}}", b"[{}", b"[{]", b'[{"a"}]', b'[{"a": "}]'],
)
def test_what_is_no_list_of_objects_is_refused(results: bytes) -> None:
    with pytest.raises((MalformedRequest, Invalid)):
        for run in open_report(HEAD + results + TAIL):
            list(run.located())


@pytest.mark.parametrize(
    "text",
    [
        b'{"version": "2.1.0", "runs": [], "runs": [{"tool": {"driver": {}}}], "runs": []}',
        HEAD + b'[{}], "results": [{}]' + TAIL,
        HEAD.replace(b'"results"', b'"re\\u0073ults"') + b"[{}]" + TAIL,
        HEAD + b'[{"properties": {"a": ' + b"[" * 60 + b"]" * 60 + b"}}]" + TAIL,
    ],
)
def test_what_two_readers_could_take_for_two_things_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedRequest):
        open_report(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=9) | st.just("results"), values, max_size=3)


@given(st.lists(st.lists(objects, max_size=3), max_size=3), objects, st.integers(0, 2))
def test_nothing_is_lost_or_moved(runs: list[list[Any]], other: dict[str, Any], indent: int) -> None:
    document = {"a": other, "runs": [{"o": other, "results": results, "z": other} for results in runs]}
    text = json.dumps(document, indent=indent or None, ensure_ascii=indent == 2).encode()
    assert [[json.loads(one) for one in run] for run in results_of(text)] == runs
    rest = {"a": other, "runs": [{"o": other, "results": [], "z": other} for _ in runs]}
    assert json.loads(scan(text, most=100).rest) == rest


@given(st.text(alphabet='{}[]",:\\ 1', max_size=40))
def test_what_is_taken_is_json(noise: str) -> None:
    text = HEAD + noise.encode() + TAIL
    try:
        for run in open_report(text):
            list(run.located())
    except HefestoError:
        return
    msgspec.json.decode(text)


def test_a_mapped_file_reads_as_its_bytes_do(tmp_path: Path) -> None:
    one = {"ruleId": "R", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}}}]}
    many = [one | {"message": {"text": f"{number} " + "x" * 3000}} for number in range(3000)]
    path = tmp_path / "report.sarif"
    path.write_bytes(HEAD + json.dumps(many).encode() + TAIL)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        (run,) = open_report(text)
        messages = [run.imported(number, "a.py").detection.message for number in range(3000)]
    assert [int(text.split()[0]) for text in messages] == list(range(3000))
