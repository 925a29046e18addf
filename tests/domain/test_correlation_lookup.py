"""A rare name in an error's message leads to code that the trace does not go through."""

from __future__ import annotations

import re

from hefesto_api.analyzers.facts import extract
from hefesto_api.domain import traces
from hefesto_api.domain.correlation import Ranking, gather, rank
from hefesto_api.domain.mapping import PathIndex, crash_of

SERVER = """
def answer(view, request):
    response = view(request)
    return response.send()
"""
VIEWS = """
from web.answers import RefusedAnswer


def unrelated(request):
    return None


def refuse(request):
    return RefusedAnswer(request.method)
"""
ANSWERS = """
class RefusedAnswer:
    def __init__(self, method):
        self.method = method
"""
TRACE = """Traceback (most recent call last):
  File "/srv/web/server.py", line 4, in answer
    return response.send()
AttributeError: 'RefusedAnswer' object has no attribute 'send'
"""
FILES = {"web/server.py": SERVER, "web/views.py": VIEWS, "web/answers.py": ANSWERS}


def correlate(
    files: dict[str, str], trace: str = TRACE, *, searched: bool = True
) -> tuple[Ranking, list[str]]:
    """Rank a crash in some files, and tell which of them were read."""
    index = PathIndex(files)
    crash = crash_of(traces.parse(trace), index)

    def find(name: str) -> list[str]:
        return [path for path, text in files.items() if re.search(rf"\b{name}\b", text)]

    code = gather(
        crash, lambda path: extract(path, files[path].encode()), index, find=find if searched else None
    )
    return rank(crash, code), list(code)


def names(ranking: Ranking) -> list[str]:
    return [one.function_name for one in ranking.suspects]


def test_who_makes_what_the_message_names_is_a_suspect_wherever_it_is() -> None:
    ranking, _ = correlate(FILES)
    found = next(one for one in ranking.suspects if one.function_name == "refuse")
    features = {one.feature: one.contribution for one in found.evidence}
    assert features["not in the trace: uses what the message names"] > 0
    assert "unrelated" not in names(ranking)


def test_without_a_search_only_what_the_trace_leads_to_is_read() -> None:
    ranking, read = correlate(FILES, searched=False)
    assert read == ["web/server.py"]
    assert "refuse" not in names(ranking)


def test_a_name_that_many_files_have_points_nowhere() -> None:
    others = {f"web/more{number}.py": VIEWS for number in range(4)}
    _, read = correlate(FILES | others)
    assert read == ["web/server.py"]


def test_tests_are_not_where_a_name_leads() -> None:
    _, read = correlate(FILES | {"tests/test_views.py": VIEWS, "web/conftest.py": VIEWS})
    assert sorted(read) == sorted(FILES)


def test_words_of_prose_are_no_names() -> None:
    trace = TRACE.replace(
        "'RefusedAnswer' object has no attribute 'send'", "refuse the method of the request"
    )
    _, read = correlate(FILES, trace.replace("AttributeError", "RuntimeError"))
    assert read == ["web/server.py"]


def test_the_pattern_in_a_class_leads_to_its_methods() -> None:
    window = (
        'class Window:\n    pattern = "%s OVER (%s)"\n\n    def as_sql(self):\n        return self.pattern\n'
    )
    trace = TRACE.replace(
        "AttributeError: 'RefusedAnswer' object has no attribute 'send'",
        'sqlite3.OperationalError: near "OVER": syntax error',
    )
    ranking, _ = correlate(FILES | {"web/window.py": window}, trace)
    assert "Window.as_sql" in names(ranking)


def test_more_functions_than_a_few_that_use_a_name_are_no_suspects() -> None:
    many = "".join(
        f"\n\ndef refuse{number}(request):\n    return RefusedAnswer(request)\n" for number in range(9)
    )
    ranking, _ = correlate(FILES | {"web/views.py": VIEWS + many})
    assert not [name for name in names(ranking) if name.startswith("refuse")]


def test_who_refuses_by_an_error_of_its_own_counts_less_than_who_fails() -> None:
    files = {"web/store.py": "class Gone(Exception):\n    pass\n\n\ndef take(key):\n    raise Gone(key)\n"}
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/srv/web/store.py", line 6, in take\n    raise Gone(key)\nweb.store.{}: 7\n'
    )
    ranking, _ = correlate(files, trace.format("Gone"))
    features = {one.feature: one.contribution for one in ranking.suspects[0].evidence}
    assert features["raises an error of its own kind"] < 0
    ranking, _ = correlate(files, trace.format("ValueError"))
    assert "raises an error of its own kind" not in {one.feature for one in ranking.suspects[0].evidence}
