"""JSON is read so that no two readers could take it for two things."""

from __future__ import annotations

import json

import pytest
from hefesto_api.domain.errors import MalformedRequest
from hefesto_api.web import strict_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc:{[\\"), inner))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_what_is_sound_is_read_as_everybody_reads_it(value: object) -> None:
    assert strict_json.loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"[1,]",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        '{"a": 1}'.encode("utf-16"),
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "\\u0061": 2}}',
        b"9223372036854775808",
        b"-9223372036854775809",
        b"[" + b"9" * 5000 + b"]",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\x00"',
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'[["a\\u0000"]]',
        b"[" * 50_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 65 + b"1" + b"}" * 65,
    ],
)
def test_what_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        strict_json.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'{"a": {"b": 1}, "b": {"a": 1}}', {"a": {"b": 1}, "b": {"a": 1}}),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b"[" + b"[]," * 200 + b"[]]", [[]] * 201),
    ],
)
def test_the_edge_of_what_is_allowed(body: bytes, value: object) -> None:
    assert strict_json.loads(body) == value
