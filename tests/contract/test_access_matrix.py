"""Every route, asked by every role about its own project and another: nothing of the other is told or changed
by it.

The operations come from the OpenAPI document, so that a new route is asked from its first day: one without a
body to ask it with, or without an entry in the list of those that ask for no scope, fails here.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.domain.access import ROLES
from hefesto_api.storage.tables import metadata
from hefesto_api.web import openapi
from tests.access import SECRET_KEY, make_key
from tests.answers import error_of
from tests.contract import access_world as world
from tests.contract.conftest import operations_of
from tests.features.conftest import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.contract.access_world import Place, Values
    from tests.contract.conftest import Operation
    from werkzeug.test import TestResponse

STRANGER, UNSCOPED = "stranger", "unscoped"
CALLERS = (STRANGER, UNSCOPED, *ROLES)
# What asks for no scope, and why that is right.
OF_EVERYBODY = {
    "GET /": "says what this is",
    "GET /health": "for probes; tells a status",
    "GET /livez": "for probes; tells a status",
    "GET /readyz": "for probes; tells which parts answer",
    "GET /health/deep": "for probes; tells which parts answer",
    "GET /api/v1/health": "tells which parts answer",
    "GET /api/v1/status": "tells a word",
    "GET /metrics": "asks within: read:metrics off this machine",
    "GET /api/v1/auth/methods": "tells how one gets in",
    "POST /api/v1/auth/oidc/session": "asks for what a sign-in with the provider left in this browser",
    "POST /api/v1/auth/register": "where registration is open",
    "POST /api/v1/auth/login": "asks for a password",
    "POST /api/v1/auth/refresh": "asks for a refresh token",
    "POST /api/v1/auth/logout": "asks for the token of the session that ends",
    "GET /api/v1/ws/dashboard": "asks within: a ticket, a token or a key, in the first message at the latest",
    "POST /api/v1/iris/webhook": "asks within: a secret of a source, or write:alerts",
    "POST /api/v1/iris/webhook/{source}": "asks within: a secret of a source, or write:alerts",
}
# What the document does not tell of.
PAGES = {
    "/openapi.json": "the document itself",
    "/docs": "a page that shows the document",
    "/redoc": "a page that shows the document",
    "/docs/assets/{name}": "files of those pages, from a table",
    "/api/v1/{page}": "leads to those pages",
    "/dashboard": "a page without data",
    "/dashboard/{place}": "the same page",
    "/dashboard/assets/{name}": "files of that page",
    "/ws/dashboard": "asks within, as the address that the document tells",
    "/oauth/authorize": "asks for a login, and for consent",
    "/oauth/token": "asks for a client's secret, or a code with its verifier",
    "/oauth/revoke": "asks for a client's secret",
    "/oauth/introspect": "asks for a client's secret",
    "/.well-known/oauth-authorization-server": "tells where the above are",
    "/api/v1/auth/oidc/login": "leads to the provider of identities",
    "/api/v1/auth/oidc/callback": "asks for what the provider gave, for the state that it was asked with",
    "/.well-known/jwks.json": "tells public keys",
}
# Of the rows that a refused request may leave: who was refused, what keys asked for, who was told already.
PROJECT = "/api/v1/projects/{slug}"
MACHINERY = re.compile(
    r"audit_|api_key_usage|idempotency_keys|throttles|workers|schedules|kept_keys|tickets|seen_signatures"
    r"|request_minutes|gauge_minutes|generations"
)
SEEN = frozenset({"last_used_at", "last_seen_at"})
KEY = re.compile(r"\w+ \('([0-9a-f-]{36})'")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMES = re.compile(
    r'"(?:timestamp|request_id|generated_at|created_at|updated_at|hint|key|client_secret)":"[^"]*"'
)
# How the service fares differs from one request to the next; it belongs to no project.
MEASURES = re.compile(r'"performance":\{.*\},(?="anomalies":)')
TOLD = ("Content-Type", "Location", "X-Total-Count", "WWW-Authenticate", "Allow", "Content-Disposition")


class World(NamedTuple):
    """A service, its two projects and who asks about them."""

    service: Service
    places: dict[str, Place]
    operations: list[Operation]
    heard: dict[str, set[str]]
    """What callers of a project have said themselves so far, and may be told again."""


class Ask(NamedTuple):
    """One request, and the texts that it brings along itself."""

    method: str
    url: str
    query: Mapping[str, str]
    body: Any
    brought: frozenset[str]

    def __str__(self) -> str:
        return f"{self.method} {self.url} {dict(self.query)} {self.body}"


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world, made once for all who change nothing of it."""
    with a_world(sqlite_template, tmp_path_factory.mktemp("access")) as one:
        yield one


@pytest.fixture
def alone(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    """A world of one's own."""
    with a_world(sqlite_template, tmp_path) as one:
        yield one


@contextmanager
def a_world(template: Path, folder: Path) -> Iterator[World]:
    (folder / "src").mkdir()
    shutil.copy(template, folder / "one.db")
    environ = {
        "HEFESTO_DATABASE_URL": f"sqlite:///{folder / 'one.db'}",
        "HEFESTO_ROOTS": str(folder / "src"),
        "HEFESTO_ANALYSIS_PROCESSES": "1",
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        "HEFESTO_WAIT_SECONDS": "0.05",
    }
    service = Service(runtimes.build(all_settings.load(environ, folder)), folder / "src")
    document = openapi.document(service.client.application)
    yield World(service, world.build(service), list(operations_of(document)), defaultdict(set))
    service.end()
    service.runtime.close()


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.template}"


def caller(service: Service, role: str, projects: list[str] | None) -> dict[str, str]:
    """Return the headers of somebody who holds a role, bound to projects."""
    if role == STRANGER:
        return {}
    if role == UNSCOPED:
        return make_key(service, None, projects=projects, name="without scopes")
    return make_key(service, role, projects=projects, name=f"{role} of {projects}")


def asks(operation: Operation, aimed: Values, own: Values) -> Iterator[Ask]:
    """Yield each way to ask an operation about what some values name."""
    named = {
        **world.GIVEN,
        **aimed,
        **{of: aimed[by] for of, by in world.PATHS.get(name_of(operation), {}).items()},
    }
    url = re.sub(r"\{(\w+)\}", lambda found: named[found.group(1)], operation.template)
    parameters = [one["name"] for one in operation.about.get("parameters", ()) if one.get("in") == "query"]
    bodies = world.BODIES.get(name_of(operation), lambda aimed, own: [None])(aimed, own)
    for query in world.query_variants(name_of(operation), parameters, aimed):
        for body in bodies:
            texts = {*texts_of(body), *query.values(), *url.split("/"), url.removeprefix("/")}
            brought = {text for text in texts if any(value in text for value in aimed.values())}
            yield Ask(operation.method, url, query, body, frozenset(brought))
    crossed = world.CROSSED.get(name_of(operation))
    if crossed:
        theirs = re.sub(r"\{(\w+)\}", lambda found: own[found.group(1)], operation.template)
        for body in crossed(aimed, own):
            yield Ask(operation.method, theirs, {}, body, frozenset(texts_of(body)))


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, str):
        yield value


def put(made: World, ask: Ask, headers: Mapping[str, str]) -> TestResponse:
    options = {} if ask.body is None else {"json": ask.body}
    return made.service.client.open(
        ask.url, method=ask.method, query_string=dict(ask.query), headers=dict(headers), **options
    )


def told(answer: TestResponse, brought: frozenset[str]) -> str:
    """Return all that an answer tells but what was brought along, and when."""
    headers = "\n".join(f"{name}: {answer.headers.get(name)}" for name in TOLD)
    text = TIMES.sub(
        "", f"{answer.status_code}\n{headers}\n{MEASURES.sub('', answer.get_data(as_text=True))}"
    )
    for one in sorted(brought, key=len, reverse=True):
        text = text.replace(one, "?") if one else text
    return text


def rows(made: World) -> list[str]:
    """Return all that is stored, but what machinery notes and when somebody was seen."""
    found = []
    with made.service.runtime.db.read() as session:
        for name, table in metadata.tables.items():
            if not MACHINERY.match(name):
                columns = [column for column in table.c if column.name not in SEEN]
                found += [f"{name} {row!r}" for row in session.execute(sa.select(*columns))]
    return found


def ids_beneath(stored: list[str], project_id: str) -> set[str]:
    """Return the ids of all that hangs on a project, however far down."""
    ours = {found.group(1) for row in stored if (found := KEY.match(row))}
    known = {project_id}
    for _ in range(4):
        known |= {one for row in of_ids(stored, known) for one in ID.findall(row) if one in ours}
    return known


def of_ids(stored: list[str], known: set[str]) -> set[str]:
    return {row for row in stored if not known.isdisjoint(ID.findall(row))}


def test_every_route_asks_for_a_scope_or_is_on_the_list(made: World) -> None:
    unasked = {name_of(one) for one in made.operations if not one.about.get("security")}
    assert unasked == set(OF_EVERYBODY)


def test_what_the_document_leaves_out_is_on_a_list(made: World) -> None:
    told = {
        re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule)
        for rule in made.service.client.application.url_map.iter_rules()
    }
    assert told - {one.template for one in made.operations} == set(PAGES)


def test_every_body_can_be_asked_with(made: World) -> None:
    taking = {name_of(one) for one in made.operations if "requestBody" in one.about}
    assert taking - set(world.BODIES) - set(world.OF_THE_CALLER) - set(OF_EVERYBODY) == set()
    assert (set(world.BODIES) | set(world.OF_THE_CALLER) | set(world.NEEDED)) - {
        name_of(one) for one in made.operations
    } == set()


@pytest.mark.parametrize("role", CALLERS)
def test_each_role_may_what_its_scopes_say(made: World, role: str) -> None:
    headers = caller(made.service, role, None)
    own = world.nothing(made.places["zqalpha"].values)
    for operation in made.operations:
        if name_of(operation) in OF_EVERYBODY:
            continue
        scope = operation.about.get("x-required-scope")
        (ask, *_) = asks(operation, own, own)
        answer = put(made, ask, headers)
        if role == STRANGER:
            assert answer.status_code == 401, str(ask)
            assert "WWW-Authenticate" in answer.headers
        elif scope and scope not in ROLES.get(role, frozenset()):
            assert answer.status_code == 403, str(ask)
            assert error_of(answer, "INSUFFICIENT_PERMISSIONS")["required_scope"] == scope
        elif scope:
            assert answer.status_code not in {401, 403}, (str(ask), answer.get_json())
        else:
            assert answer.status_code != 401, (str(ask), answer.get_json())


@pytest.mark.parametrize("own", world.SLUGS)
@pytest.mark.parametrize("role", CALLERS)
def test_nobody_sees_or_changes_what_lies_in_other_projects(
    made: World, role: str, own: str, record_property: Callable[[str, object], None]
) -> None:
    (other,) = (place for slug, place in made.places.items() if slug != own)
    mine = made.places[own].values
    headers = caller(made.service, role, [own])
    before = rows(made)
    leaks, differences, asked = [], [], 0
    for operation in made.operations:
        aimed = asks(operation, other.values, mine)
        for ask, blank in zip(aimed, asks(operation, world.nothing(other.values), mine), strict=True):
            answer = put(made, ask, headers)
            made.heard[own] |= ask.brought | blank.brought
            said = told(answer, ask.brought)
            asked += 1
            if answer.status_code >= 500 and answer.status_code != 503:
                leaks.append(f"{ask}: {said}")
            text = told(answer, frozenset(one for one in made.heard[own] if "/" in one) | ask.brought)
            secrets = {value for value in other.values.values() if value not in ask.brought}
            if other.slug in text or any(secret in text for secret in secrets):
                leaks.append(f"{ask}: {text}")
            if name_of(operation) in OF_EVERYBODY or not ask.brought:
                continue  # it is about nobody's things, or about the caller's own
            unknown = told(put(made, blank, headers), blank.brought)
            if ID.sub("?", said) != ID.sub("?", unknown):
                differences.append(f"{ask}:\n{said}\n--- of what does not exist:\n{unknown}")
    record_property("operations", len(made.operations))
    record_property("asked", asked)
    assert asked > 100
    assert not leaks, "\n\n".join(leaks)
    assert not differences, "\n\n".join(differences)
    theirs = ids_beneath(before, other.values["project_id"])
    assert mine["project_id"] not in theirs
    assert of_ids(before, theirs) == of_ids(rows(made), theirs)


def test_whoever_is_of_a_project_reaches_all_of_it(alone: World) -> None:
    """The same requests about one's own succeed: what is refused above is refused for whose it is."""
    made = alone
    own = made.places["zqalpha"].values
    bound = caller(made.service, "operator", ["zqalpha"])
    everything = caller(made.service, "admin", None)
    refused = []
    told_of = 0
    for operation in sorted(
        made.operations, key=lambda one: (one.method == "DELETE", one.template == PROJECT)
    ):
        name = name_of(operation)
        if name in OF_EVERYBODY or name in world.OF_THE_CALLER | world.OF_USERS | world.HELD_OPEN:
            continue
        is_for_admins = operation.about.get("x-required-scope") in {"admin", None}
        (ask, *_) = asks(operation, own, own)
        answer = put(made, ask, everything if is_for_admins else bound)
        told_of += own["slug"] in answer.get_data(as_text=True)
        if answer.status_code >= 300 and not (answer.status_code == 409 and name in world.CONFLICTS):
            refused.append(f"{ask}: {answer.get_data(as_text=True)}")
    assert not refused, "\n\n".join(refused)
    assert told_of > 40
