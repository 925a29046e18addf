"""What loggers, containers, mails, web pages and people put around a trace does not change its reading."""

import html
import json
from collections.abc import Callable

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, places
from tests.domain.traces.samples import ALL

# Samples that are dressed already, or whose sense hangs on the blanks that a decoration takes away.
DRESSED = {
    "a JSON string",
    "escaped line ends",
    "escaped",
    "JSON",
    "wrapped in a single record of a log",
    "a log's prefix before each line",
    "a container's name before each line",
    "two services that write at once",
    "a caller's list, as inspected",
    "a job's warning",
    "a phone's log",
    "Rails, with its tag before each line",
    "in HTML",
    "lost indentation",
    "pytest's short form",
    "pkg/errors",
    "a logger's words before the type",
}
PLAIN = [case for case in ALL if case.name not in DRESSED]


def before_each(prefix: Callable[[int], str]) -> Callable[[str], str]:
    return lambda text: "".join(f"{prefix(n % 10)}{line}\n" for n, line in enumerate(text.splitlines()))


DECORATIONS: dict[str, Callable[[str], str]] = {
    "docker compose": before_each(lambda n: "web_1  | "),
    "Kubernetes": before_each(lambda n: f"2026-03-04T05:06:07.12345678{n}Z stderr F "),
    "journald": before_each(lambda n: f"Mar 04 05:06:0{n} host shop[123]: "),
    "syslog, with a zone": before_each(lambda n: f"2026-03-04T05:06:0{n}.123456+00:00 host shop[123]: "),
    "Heroku": before_each(lambda n: f"2026-03-04T05:06:0{n}.123456+00:00 app[web.1]: "),
    "a build server": before_each(lambda n: f"2026-03-04T05:06:0{n}.1234567Z "),
    "a level": before_each(lambda n: "ERROR "),
    "a tag": before_each(lambda n: "[shop.worker] "),
    "a time and a level": before_each(lambda n: f"2026-03-04 05:06:0{n},123 ERROR "),
    "a time in brackets": before_each(lambda n: f"[2026-03-04 05:06:0{n}] "),
    "a quote": before_each(lambda n: "> "),
    "a quote of a quote": before_each(lambda n: "> > "),
    "indentation": before_each(lambda n: "    "),
    "a tab": before_each(lambda n: "\t"),
    "lost indentation": lambda text: "\n".join(line.strip() for line in text.splitlines()) + "\n",
    "blanks that do not break": lambda text: text.replace("    ", "\xa0\xa0\xa0\xa0"),
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "a fence, and prose": lambda text: (
        f"Hello,\n\nit crashed:\n\n```\n{text}```\n\nAny idea? (version 3.2:1).\n"
    ),
    "HTML's characters": lambda text: html.escape(text),
    "a web page": lambda text: f"<pre><code>{html.escape(text)}</code></pre>",
    "colours": lambda text: "".join(f"\x1b[31m{line}\x1b[0m\n" for line in text.splitlines()),
    "a JSON record": lambda text: json.dumps({"level": "error", "msg": text, "n": 1}),
    "JSON in JSON": lambda text: json.dumps({"log": json.dumps({"msg": text})}),
    "a JSON record a line": lambda text: "".join(
        json.dumps({"log": f"{line}\n", "stream": "stderr", "time": "2026-03-04T05:06:07.1Z"}) + "\n"
        for line in text.splitlines()
    ),
    "a log around it": lambda text: (
        f"2026-03-04 05:06:06 INFO starting\n{text}2026-03-04 05:06:09 INFO stopped\n"
    ),
    "an empty line after each": lambda text: text.replace("\n", "\n\n"),
}


@pytest.mark.parametrize("indent", [None, 2])
def test_frames_in_a_list_of_strings(indent: int | None) -> None:
    frames = ["/srv/shop/cart.rb:12:in `total'", "/srv/shop/main.rb:3:in `<main>'"]
    trace = parse(json.dumps({"error": "boom", "backtrace": frames, "pid": 7}, indent=indent))
    assert places(trace) == [("/srv/shop/main.rb", 3, "<main>"), ("/srv/shop/cart.rb", 12, "total")]


def read(text: str) -> tuple[object, ...]:
    trace = parse(text)
    return trace.language, trace.raised and trace.raised.type, places(trace)


@pytest.mark.parametrize("name", DECORATIONS)
def test_the_reading_is_the_same(name: str) -> None:
    changed: list[tuple[Case, object]] = []
    for case in PLAIN:
        found = read(DECORATIONS[name](case.text))
        if found != (read(case.text)[0], case.type, case.frames):
            changed.append((case, found))
    assert not changed, [(case.name, found) for case, found in changed]
