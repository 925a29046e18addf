"""What tests of the application share: an application on a database of its own, and a client to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.limits import place
from hefesto_api.app import create_app
from hefesto_api.storage import migrate, postgresql, sqlite
from hefesto_api.storage.database import open_database
from tests.templates import alike, start_from
from werkzeug.routing import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.settings import Settings

# The same examples in every run: what chance finds must not fail a change that has nothing to do with it.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(autouse=True, scope="session")
def counts_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what is counted for limits go with the tests; the place by default outlives a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "_SHARED", tmp_path_factory.mktemp("shared"))
        yield


@pytest.fixture(autouse=True, scope="session")
def plain_log() -> None:
    """Write what tests provoke in lines: left to itself, structlog paints tracebacks for a terminal."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture(autouse=True, scope="session")
def rules_compiled_once() -> Iterator[None]:
    """Compile what builds the address of a route once for all applications; a fifth of such a test's time.

    What Werkzeug compiles depends on the rule's text alone where the rule has no defaults, and holds nothing
    of the rule or its application: it is handed both when it is called.
    """
    compile_one = Rule._compile_builder
    known: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:
            return compile_one(rule, append_unknown)
        key = (rule.rule, *rule._trace, append_unknown)
        if key not in known:
            known[key] = compile_one(rule, append_unknown)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compiled)
        yield


@pytest.fixture(autouse=True, scope="session")
def statements_compiled_once() -> Iterator[None]:
    """Let each engine know what those before it have compiled, as the engine of a service comes to."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (sqlite, postgresql):
            patch.setattr(kind, "engine", alike(kind.engine))
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database that tests copy."""
    path = tmp_path_factory.mktemp("template") / "hefesto.db"
    made = open_database(f"sqlite:///{path}")
    migrate.upgrade(made)
    made.close()
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of an installation in an empty folder, whose `src` may be analysed."""
    (tmp_path / "src").mkdir()
    return all_settings.load({"HEFESTO_ROOTS": str(tmp_path / "src")}, tmp_path)


@pytest.fixture
def make_app(sqlite_template: Path) -> Iterator[Callable[..., Flask]]:
    """Make applications with settings of one's own; their databases are migrated, and closed at the end."""
    opened = []

    def make(settings: Settings) -> Flask:
        runtime = runtimes.build(settings)
        start_from(sqlite_template, runtime.db)
        migrate.upgrade(runtime.db)
        opened.append(runtime)
        return create_app(runtime=runtime)

    yield make
    for runtime in opened:
        runtime.close()


@pytest.fixture
def app(make_app: Callable[..., Flask], settings: Settings) -> Flask:
    """The application, with an empty database."""
    return make_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()
