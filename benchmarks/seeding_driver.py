"""The child of `seeding`: runs a project's own tests in forks, and tells what they reach and how they crash.

It works in an environment that holds pytest and no Hefesto, reads one request a line from standard input and
answers one line each: `{"survey": seconds}` with the functions that each test reaches, `{"tests": [ids]}`
with the exceptions that come out of those tests, each as Python prints it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

SECONDS = 10
MEMORY = 2 << 30
MOST_TEXT = 40_000
# Not the project's own settings: they ask for plugins, and turn warnings into errors.
OPTIONS = ["-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:terminal", "--capture=sys", "-W", "ignore"]


class Survey:
    """Which functions of the package each test reaches, as `file:first line`."""

    def __init__(self, package: str, seconds: float) -> None:
        self.package = package
        self.until = time.process_time() + seconds
        self.reached: dict[str, list[str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        """Note the code objects that are entered while a test runs."""
        if time.process_time() > self.until:
            pytest.exit("time is up")
        entered = set()
        sys.setprofile(lambda frame, event, _: entered.add(frame.f_code) if event == "call" else None)
        try:
            result = yield
        finally:
            sys.setprofile(None)
        self.reached[item.nodeid] = sorted(
            f"{code.co_filename}:{code.co_firstlineno}"
            for code in entered
            if code.co_filename.startswith(self.package)
        )
        return result


class Crashes:
    """What came out of the tests, from the test's own frame on, as the interpreter prints it."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[dict[str, str]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Keep the exception of a test, unless the test itself raised it."""
        report = yield  # unittest's exceptions are put in their place by those called within
        if call.excinfo is not None and call.when == "call":
            self.keep(call.excinfo.value, str(item.path))
        return report

    def keep(self, error: BaseException, test_file: str) -> None:
        """Keep an exception if it passed through the package and did not begin in the test."""
        at = error.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename != test_file:
            at = at.tb_next
        files = [frame.filename for frame in traceback.extract_tb(at)]
        if any(file.startswith(self.package) for file in files) and files[-1] != test_file:
            text = "".join(traceback.format_exception(type(error), error, at))
            self.found.append(
                {
                    "error_type": f"{type(error).__module__}.{type(error).__qualname__}",
                    "message": str(error)[:2000],
                    "traceback": text[:MOST_TEXT],
                }
            )


def forked(work: Any) -> Any:
    """Do something in a child that may hang or fall, and return what it found; None when it did."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with os.fdopen(writing, "wb") as out:
            out.write(json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read()
    os.waitpid(pid, 0)
    return json.loads(answer) if answer else None


def bounded(seconds: float) -> None:
    """End this process after some seconds of work, or many of waiting: a busy machine is no fault."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(int(seconds * 12))


def surveyed(package: str, seconds: float) -> dict[str, list[str]]:
    """Run all tests for some seconds."""
    survey = Survey(package, seconds)
    bounded(seconds * 2 + SECONDS)
    pytest.main([*OPTIONS, "--continue-on-collection-errors", "."], plugins=[survey])
    return survey.reached


def crashed(package: str, tests: list[str]) -> list[dict[str, str]]:
    """Run some tests until the first crash."""
    crashes = Crashes(package)
    bounded(SECONDS)
    pytest.main([*OPTIONS, "-x", *tests], plugins=[crashes])
    return crashes.found


def main() -> None:
    """Answer requests about the project in the working directory: `seeding_driver PACKAGE PATH...`."""
    package, *paths = sys.argv[1:]
    sys.path[:0] = paths
    sys.dont_write_bytecode = True
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    assert Path(package).exists()
    for line in sys.stdin:
        request = json.loads(line)
        if "survey" in request:
            found = forked(lambda: surveyed(package, request["survey"]))  # noqa: B023 - called at once
        else:
            found = forked(lambda: crashed(package, request["tests"]))  # noqa: B023 - called at once
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
