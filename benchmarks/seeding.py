"""Crashes with a known cause: faults seeded into real projects one at a time, and what their tests throw.

`python -m benchmarks.seeding OUT.jsonl` takes source releases of pure Python projects, changes one function,
runs tests of theirs that reach it, and keeps the traceback if one comes out of the project. A line of the
result is a case: `{id, repo, kind, error_type, message, traceback, tree, source: {path: text}, truth: [{file,
functions, lines}]}`; `tree` is the folder the paths are relative to, `source` the changed file.
The tests of foreign projects run on this machine: in children with bounded time and memory, and as you.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks import corpora
from benchmarks.seeding_faults import Fault, faults

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is imported, of the releases whose tests are in them and need little else.
PROJECTS: Final = {
    "boltons": "boltons", "click": "click", "more-itertools": "more_itertools", "toolz": "toolz",
    "sqlparse": "sqlparse", "tabulate": "tabulate", "sortedcontainers": "sortedcontainers",
    "jsonschema": "jsonschema", "markdown": "markdown", "pyparsing": "pyparsing", "lark": "lark",
    "tomlkit": "tomlkit", "networkx": "networkx", "cachetools": "cachetools", "parso": "parso",
    "jmespath": "jmespath", "docutils": "docutils", "tinydb": "tinydb", "inflect": "inflect",
    "python-dateutil": "dateutil", "werkzeug": "werkzeug", "jinja2": "jinja2", "marshmallow": "marshmallow",
    "rich": "rich", "mako": "mako", "wtforms": "wtforms", "humanize": "humanize", "flask": "flask",
    "natsort": "natsort", "schema": "schema", "voluptuous": "voluptuous", "html5lib": "html5lib",
}  # fmt: skip
NEEDED: Final = (
    "pytest", "hypothesis", "freezegun", "six", "markupsafe", "blinker", "itsdangerous", "attrs",
    "jsonschema-specifications", "referencing", "rpds-py", "pyyaml", "pygments", "markdown-it-py",
    "typeguard", "more-itertools", "webencodings", "packaging", "werkzeug", "jinja2", "click", "mock",
    "pytest-mock", "simplejson", "email-validator", "babel",
)  # fmt: skip
SURVEY_SECONDS: Final = 40
TESTS_EACH: Final = 4
SHOWN: Final = "/srv/app/lib/python3.11/site-packages"


class Project(NamedTuple):
    """A copy of a release that may be changed: its root, and the folder that holds its package."""

    name: str
    root: Path
    parent: Path
    package: Path


class Driver:
    """The child that runs a project's tests."""

    def __init__(self, python: Path, project: Project) -> None:
        command = [str(python), str(Path(__file__).with_name("seeding_driver.py"))]
        environment = {"PATH": os.environ["PATH"], "HOME": str(project.root), "PYTHONHASHSEED": "0"}
        self._child = subprocess.Popen(
            [*command, str(project.package), str(project.parent), str(project.root)],
            cwd=project.root, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request and wait for its answer."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        return json.loads(self._child.stdout.readline() or "null")

    def close(self) -> None:
        """End the child."""
        self._child.communicate()


def cases(name: str, python: Path, cache: Path, wanted: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield crashes of one project, at most two a function and the kinds evenly mixed."""
    tree = next(iter(sorted((cache / "releases").glob(f"{name.replace('-', '?')}-[0-9]*"))), None)
    tree = tree or corpora.release(name, cache / "releases")
    with tempfile.TemporaryDirectory(prefix="hefesto-seeding-") as work:
        project = _project(name, shutil.copytree(tree, Path(work) / tree.name, symlinks=True))
        driver = Driver(python, project)
        try:
            reached = driver.ask({"survey": SURVEY_SECONDS}) or {}
            yield from _seeded(project, tree, driver, reached, wanted, random.Random(f"{name} {seed}"))  # noqa: S311
        finally:
            driver.close()


def _project(name: str, root: Path) -> Project:
    for parent in (root, root / "src", root / "lib"):
        for package in (parent / PROJECTS[name], parent / f"{PROJECTS[name]}.py"):
            if package.exists():
                return Project(name, root, parent, package)
    raise FileNotFoundError(PROJECTS[name])


def _seeded(
    project: Project,
    tree: Path,
    driver: Driver,
    reached: dict[str, list[str]],
    wanted: int,
    chance: random.Random,
) -> Iterator[dict[str, Any]]:
    tests: dict[str, list[str]] = defaultdict(list)
    for test, functions in reached.items():
        for function in functions:
            tests[function].append(test)
    open_faults = _mixed(project, tests, chance)
    per_function: Counter[tuple[str, str]] = Counter()
    found = 0
    for tried, (path, fault) in enumerate(open_faults):
        if found >= wanted or tried >= wanted * 12:
            return
        if per_function[str(path), fault.function] >= 2:
            continue
        near = tests[f"{path}:{fault.first_line}"]
        chosen = chance.sample(near, min(len(near), TESTS_EACH))
        if crash := _crash(driver, path, fault, chosen):
            found += 1
            per_function[str(path), fault.function] += 1
            yield _case(project, tree, path, fault, crash, found)


def _mixed(project: Project, tests: dict[str, list[str]], chance: random.Random) -> list[tuple[Path, Fault]]:
    """List the faults in functions that a test reaches: first one of each kind, then the next of each."""
    kinds: dict[str, list[tuple[Path, Fault]]] = defaultdict(list)
    files = sorted({function.rpartition(":")[0] for function in tests})
    for path in map(Path, files):
        if "tests" in path.relative_to(project.root).parts:
            continue
        for fault in faults(path.read_text("utf-8")):
            if f"{path}:{fault.first_line}" in tests:
                kinds[fault.kind].append((path, fault))
    for listed in kinds.values():
        chance.shuffle(listed)
    longest = max(map(len, kinds.values()), default=0)
    return [listed[n] for n in range(longest) for listed in kinds.values() if n < len(listed)]


def _crash(driver: Driver, path: Path, fault: Fault, tests: list[str]) -> dict[str, str] | None:
    original = path.read_bytes()
    source = fault.seeded(original.decode())
    if source is None:
        return None
    try:
        path.write_text(source, "utf-8")
        found = driver.ask({"tests": tests})
    finally:
        path.write_bytes(original)
    return {**found[0], "source": source} if found else None


def _case(
    project: Project, tree: Path, path: Path, fault: Fault, crash: dict[str, str], number: int
) -> dict[str, Any]:
    relative = path.relative_to(project.parent).as_posix()
    parent = tree / project.parent.relative_to(project.root)
    text = crash["traceback"].replace(str(project.parent), SHOWN).replace(str(project.root), "/srv/app/job")
    return {
        "id": f"{project.name}-{number}", "repo": project.name, "kind": fault.kind, "core": True,
        "error_type": crash["error_type"].removeprefix("builtins."), "message": crash["message"],
        "traceback": text, "tree": str(parent), "package": project.package.name,
        "source": {relative: crash["source"]},
        "truth": [{"file": relative, "functions": [fault.function], "lines": [fault.line]}],
        "n_truth_functions": 1,
    }  # fmt: skip


def _environment(cache: Path) -> Path:
    folder = cache / "venvs" / "seeding"
    if not (folder / ".ready").exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, *NEEDED], check=True)
        (folder / ".ready").touch()
    return folder / "bin" / "python"


def main() -> None:
    """Make cases, project by project, and write each as it is found."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--each", type=int, default=15, help="cases wanted of each project")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--projects", nargs="*", default=list(PROJECTS), metavar="NAME")
    options = parser.parse_args()
    cache = corpora.default_cache()
    python = _environment(cache)
    with options.out.open("w", encoding="utf-8") as out:
        for name in options.projects:
            count = 0
            try:
                for case in cases(name, python, cache, options.each, options.seed):
                    out.write(json.dumps(case) + "\n")
                    out.flush()
                    count += 1
            except (subprocess.CalledProcessError, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
            print(f"{name}: {count} cases", flush=True)


if __name__ == "__main__":
    main()
