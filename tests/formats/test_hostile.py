"""Names and code are hostile text: none of it breaks out of any format, read back by a real parser."""

import csv
import json
import re
from html.parser import HTMLParser
from io import StringIO
from itertools import product
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hefesto_api.domain.finding import Severity, Suppression
from hefesto_api.formats import FORMATS
from hefesto_api.formats.document import Report, Skipped
from hefesto_api.formats.safe import for_terminal, for_xml, scalar
from hypothesis import given
from hypothesis import strategies as st
from tests.reports import PlainRule, make_finding, make_report

_SEEDS = (
    "<script>alert(1)</script>", "</style><script>x</script>", "<img src=x onerror=alert(1)>", "<!--", "-->",
    "]]>", "<![CDATA[x]]>", "&lt;b&gt;", "&#60;", "\"' onmouseover='x'", "</bdi></h2><iframe>", "{{ 7*7 }}",
    "{% raw %}", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '",=1', '"', "'", ";", ",",
    "::error::x", "\n::error file=a::b", "%0A::warning::x", "a,b:c", "##[command]x", "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\u202egnp.exe", "\u2066x\u2069", "\u200bz", "\x9b31m",
    "\x00",
    "\x08\x08", "\r\nx", "a\nb", "\u2028x", "\x85", "\ufeff", "\ud800", "\udcff", "\uffff", "😀",
    "\U000e0041",
)  # fmt: skip
_FRAMES = ("{}", "a{}b", "{0}{0}", "../{}", "x {}/y.py")
HOSTILE = [frame.replace("{0}", "{}").replace("{}", seed) for frame, seed in product(_FRAMES, _SEEDS)]


def report(text: str) -> Report:
    step = {"file": text, "line": 1, "message": text}
    metadata = {"code_flows": [[step]], "related": [step], "baseline_state": text, text: [text]}
    finding = make_finding(
        file=text, description=text, recommendation=text, code_snippet=text, line_text=text, symbol=text,
        rule_id=text, class_name=text, tool=text, metadata=metadata, id=text,
        suppression=Suppression("noqa", 3, text), severity=Severity.CRITICAL, line=1, end_line=1,
    )  # fmt: skip
    rule = PlainRule(id=text, slug=text, title=text, recommendation=text, explanation=text)
    return make_report(
        finding, rules={text: rule}, project=text, path=text, branch=text, commit_hash=text, analysis_id=text,
        repository_url="https://git.example/x", files_skipped=[Skipped(text, text)],
        source_of=lambda _: [text, text],
    )  # fmt: skip


def written(name: str, text: str) -> str:
    return b"".join(FORMATS[name].write(report(text))).decode()


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("text", HOSTILE)
def test_csv(text: str) -> None:
    header, row = csv.reader(StringIO(written("csv", text), newline=""))
    assert len(row) == len(header)
    assert not [cell for cell in row if cell.lstrip().startswith(tuple("=+-@\t\r＝＋－＠"))]
    told = row[header.index("description")]
    assert told.removeprefix("'") == for_xml(text.replace("\0", "")).removeprefix("'")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", told)  # no worksheet holds them


class Shape(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def shape(text: str) -> Shape:
    parser = Shape()
    parser.feed(written("html", text))
    return parser


@pytest.mark.parametrize("text", HOSTILE)
def test_html(text: str) -> None:
    page = shape(text)
    assert page.tags == shape("harmless").tags
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", "".join(page.texts))


@pytest.mark.parametrize("text", HOSTILE)
def test_junit(text: str) -> None:
    (suite,) = ElementTree.fromstring(written("junit", text))  # noqa: S314
    (case,) = suite
    (failure,) = case
    assert suite.get("name") == case.get("file") == failure.get("message") == for_xml(text)


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("text", HOSTILE)
def test_sarif(text: str) -> None:
    document = json.loads(written("sarif", text), object_pairs_hook=no_duplicates)
    (result,) = document["runs"][0]["results"]
    assert result["message"]["text"] == scalar(text)
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9/._~!$&'()*+,;=@%-]+", uri)
    errors = "surrogatepass" if "\ud800" in text else "surrogateescape"
    assert unquote(uri, errors=errors) == text.lstrip("/")
    (flow,), (related,) = result["codeFlows"], result["relatedLocations"]
    for place in (flow["threadFlows"][0]["locations"][0]["location"], related):
        assert place["physicalLocation"]["artifactLocation"]["uri"] == uri
        assert place["message"]["text"] == scalar(text)
    assert "baselineState" not in result


@pytest.mark.parametrize("text", HOSTILE)
def test_json_and_code_climate(text: str) -> None:
    document = json.loads(written("json", text), object_pairs_hook=no_duplicates)
    assert document["findings"][0]["description"] == scalar(text)
    assert json.loads(written("jsonl", text)) == document["findings"][0]
    (issue,) = json.loads(written("codeclimate", text))
    assert issue["location"]["path"] == scalar(text).removeprefix("./")


@pytest.mark.parametrize("text", HOSTILE)
def test_github(text: str) -> None:
    command, summary, rest = written("github", text).split("\n")
    assert summary.startswith("Hefesto: 1 finding")
    assert rest == ""
    found = re.fullmatch(r"::error file=([^,:]*),line=1,endLine=1,col=5,title=([^,:]*)::([^\r\n]*)", command)
    assert found
    shown = text.replace("\r\n", "\n").replace("\r", "\n")
    assert decoded(found[1]) == decoded(found[2]) == for_terminal(shown)
    assert decoded(found[3]) == for_terminal(f"{shown}\n{shown}")


def decoded(text: str) -> str:
    codes = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}
    return re.sub("%25|%0D|%0A|%3A|%2C", lambda found: codes[found[0]], text)


@pytest.mark.parametrize("name", ["text", "github"])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_reaches_the_terminal(name: str, text: str) -> None:
    shown = written(name, text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", shown)


@given(st.text())
def test_text_for_a_terminal_is_clean_and_stays_so(text: str) -> None:
    clean = for_terminal(text)
    assert len(clean) == len(text)
    assert for_terminal(clean) == clean
    clean.encode()


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_xml(text: str) -> None:
    ElementTree.fromstring(f"<a>{for_xml(text).replace('&', '').replace('<', '')}</a>")  # noqa: S314
