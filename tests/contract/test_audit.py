"""Whatever an operation changes stands in the audit log, and so does whatever is refused, whoever asks.

The operations come from the OpenAPI document: a new one is asked here from its first day.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.features.auth import sessions
from hefesto_api.storage import audit_check, audit_list
from hefesto_api.storage import sessions as records
from hefesto_api.storage.sessions import Place
from hefesto_api.storage.tables import metadata
from tests.access import bearer, make_user
from tests.answers import data_of
from tests.contract import access_world as world
from tests.contract.test_access_matrix import (  # noqa: F401 - fixtures
    OF_EVERYBODY,
    PROJECT,
    alone,
    asks,
    caller,
    name_of,
    put,
    rows,
)
from tests.features.oauth import session_of

if TYPE_CHECKING:
    from hefesto_api.storage.audit_list import Entry
    from tests.contract.conftest import Operation
    from tests.contract.test_access_matrix import World

READING = frozenset({"GET"})
# What changes nothing that it is asked to, and why.
UNCHANGING = {
    "POST /api/v1/alerts": "its delivery is known already",
    "POST /api/v1/alerts/enrich": "reads",
    "POST /api/v1/cache/warm": "keeps answers, as reading does",
    "POST /api/v1/alerts/{alert_id}/ack": "the same as acknowledge, which came before",
    "PATCH /api/v1/findings/{finding_id}": "all of the project's were acknowledged before",
    "POST /api/v1/webhooks/{outgoing_id}/redeliver": "there are no dead letters",
    "DELETE /api/v1/auth/users/{user_id}/mfa": "the user has none",
    "POST /api/v1/auth/users/{user_id}/unlock": "no failures of the user are counted",
}

# What is told as asked for, though it moves nothing but machinery here, and why.
NOTED = {
    "POST /api/v1/cache/invalidate": "what it drops is kept nowhere that counts",
}


def entries_of(made: World, request_id: str) -> list[Entry]:
    return list(audit_list.every(made.service.runtime.db, audit_list.Filter(request_id=request_id)))


def changing(made: World) -> list[Operation]:
    """Return the operations that change something of a project or of the installation, what ends it last."""
    found = [
        one
        for one in made.operations
        if one.method not in READING
        and name_of(one) not in OF_EVERYBODY
        and name_of(one) not in world.OF_THE_CALLER
        and name_of(one) not in world.OF_USERS
    ]
    return sorted(found, key=lambda one: (one.method == "DELETE", one.template == PROJECT))


def test_whatever_is_changed_is_told_with_its_request(alone: World) -> None:  # noqa: F811
    made = alone
    own = made.places["zqalpha"].values
    admin = caller(made.service, "admin", None)
    untold, unfounded = [], []
    effective: set[str] = set()
    operations = changing(made)
    for operation in operations:
        for number, ask in enumerate(asks(operation, own, own)):
            request_id = f"{name_of(operation)} {number}".replace(" ", "-").translate(_SAFE)
            before = rows(made)
            answer = put(made, ask, {**admin, "X-Request-ID": request_id})
            is_changed = rows(made) != before
            entries = [entry for entry in entries_of(made, request_id) if entry.outcome == "success"]
            if is_changed:
                effective.add(name_of(operation))
            if is_changed and not entries:
                untold.append(f"{ask}: {answer.status_code}")
            if entries and not is_changed and name_of(operation) not in NOTED:
                unfounded.append(f"{ask}: {entries}")
            for entry in entries:
                assert "." in entry.action, entry
                assert entry.user_name, entry
                assert entry.ip_address == "127.0.0.1", entry
    assert not untold, "\n".join(untold)
    assert not unfounded, "\n".join(unfounded)
    silent = (
        {name_of(one) for one in operations} - effective - set(UNCHANGING) - set(NOTED) - set(world.CONFLICTS)
    )
    assert silent == set(), "nothing was changed by what is there to change something"
    with made.service.runtime.db.read() as session:
        assert audit_check.verify(session, made.service.runtime.ledger).valid


_SAFE = str.maketrans({"{": "_", "}": "_"})


def test_whatever_is_refused_is_told_with_its_request(alone: World) -> None:  # noqa: F811
    made = alone
    other = made.places["zqbeta"].values
    own = made.places["zqalpha"].values
    callers: dict[str, dict[str, str]] = {
        "stranger": {},
        "unscoped": caller(made.service, "unscoped", None),
        "bound": caller(made.service, "admin", ["zqalpha"]),
    }
    untold: list[Any] = []
    told = {401: 0, 403: 0, 404: 0}
    for number, operation in enumerate(made.operations):
        for who, headers in callers.items():
            (ask, *_) = asks(operation, other, own)
            request_id = f"{who}-{number}"
            answer = put(made, ask, {**headers, "X-Request-ID": request_id})
            if answer.status_code not in told:
                continue
            entries = entries_of(made, request_id)
            if any(entry.outcome in {"refused", "failed"} for entry in entries):
                told[answer.status_code] += 1
            else:
                untold.append((who, str(ask), answer.status_code, entries))
    assert not untold, untold
    assert all(many > 10 for many in told.values()), told


def test_tokens_and_tickets_leave_no_entries_but_a_theft_does(alone: World) -> None:  # noqa: F811
    made = alone
    held = made.service.runtime
    ann = make_user(made.service, "ann@example.com")
    session_of(made.service, ann)  # whoever is first makes the keys, which is told
    with held.db.write() as session:
        started, first = sessions.begin(session, ann, Place("127.0.0.1", "127.0.0.1", "tests"), clock.now())

    def asked(
        operation: str, headers: dict[str, str], body: dict[str, str]
    ) -> tuple[int, list[str], set[str]]:
        before = stored(made)
        headers = {**headers, "X-Request-ID": f"request-{len(seen)}"}
        answer = made.service.client.post(f"/api/v1/auth/{operation}", json=body, headers=headers)
        seen.append(answer)
        written = {name for name, rows_of in stored(made).items() if rows_of != before[name]}
        return answer.status_code, [one.action for one in entries_of(made, headers["X-Request-ID"])], written

    seen: list[Any] = []
    assert asked("refresh", {}, {"refresh_token": first}) == (200, [], {"refresh_tokens", "sessions"})
    assert asked("ws-ticket", bearer(data_of(seen[0])["access_token"]), {}) == (200, [], {"tickets"})
    second = data_of(seen[0])["refresh_token"]
    assert asked("refresh", {}, {"refresh_token": second})[:2] == (200, [])
    later = clock.now() - timedelta(minutes=1)
    with held.db.write() as session:
        session.execute(records.refresh_tokens.update().values(used_at=later))
    status, _, written = asked("refresh", {}, {"refresh_token": first})
    assert (status, "sessions" in written) == (401, True)
    (theft,) = [one for one in entries_of(made, "request-3") if one.action == "session.revoked"]
    assert theft.resource_id == started.id


def stored(made: World) -> dict[str, list[str]]:
    """Return the rows of what tokens and tickets are kept in, and of all that has entries."""
    names = {"refresh_tokens", "sessions", "tickets", "users", "oauth_grants"}
    with made.service.runtime.db.read() as session:
        return {
            name: sorted(repr(row) for row in session.execute(metadata.tables[name].select()))
            for name in names
        }
