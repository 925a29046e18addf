"""What tests of the application share: an application on a database of its own, and a client to it."""

from __future__ import annotations

import gc
from functools import cache
from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.limits import place
from hefesto_api.analyzers import engine
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
    """Compile each route once for all applications; a fifth of such a test's time.

    What Werkzeug makes of a rule depends on its text alone where it has no defaults and no host, and holds
    nothing of its application: what builds an address is handed the rule, converters know their own text.
    """
    compile_one = Rule.compile
    known: dict[tuple[object, ...], Rule] = {}

    def compiled(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.merge_slashes, rule.is_leaf)
        if rule.defaults or rule.host or type(rule) is not Rule:
            compile_one(rule)
        elif key not in known:
            compile_one(rule)
            known[key] = rule
        else:
            first = known[key]
            rule._parts, rule._trace, rule._converters = first._parts, first._trace, first._converters
            rule.arguments = set(first.arguments)
            rule._build = first._build.__func__.__get__(rule, None)  # type: ignore[attr-defined]
            rule._build_unknown = first._build_unknown.__func__.__get__(rule, None)  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compiled)
        yield


@pytest.fixture(autouse=True, scope="session")
def engines_hashed_once() -> Iterator[None]:
    """Hash our own code once: it stays as it is while tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_version", cache(engine._version))
        yield


def pytest_collection_finish() -> None:
    """Leave ten thousand tests and all modules out of every search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


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
