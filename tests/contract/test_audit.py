"""Whatever an operation changes stands in the audit log, and so does whatever is refused, whoever asks.

The operations come from the OpenAPI document: a new one is asked here from its first day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.storage import audit_check, audit_list
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
from tests.features.conftest import sqlite_template  # noqa: F401 - fixture

if TYPE_CHECKING:
    from hefesto_api.storage.audit_list import Entry
    from tests.contract.conftest import Operation
    from tests.contract.test_access_matrix import World

READING = frozenset({"GET"})
# What changes nothing that it is asked to, and why.
UNCHANGING = {
    "POST /api/v1/alerts": "its delivery is known already",
    "POST /api/v1/alerts/enrich": "reads",
    "POST /api/v1/alerts/{alert_id}/ack": "the same as acknowledge, which came before",
    "PATCH /api/v1/findings/{finding_id}": "all of the project's were acknowledged before",
    "DELETE /api/v1/auth/users/{user_id}/mfa": "the user has none",
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
            if entries and not is_changed:
                unfounded.append(f"{ask}: {entries}")
            for entry in entries:
                assert "." in entry.action, entry
                assert entry.user_name, entry
                assert entry.ip_address == "127.0.0.1", entry
    assert not untold, "\n".join(untold)
    assert not unfounded, "\n".join(unfounded)
    silent = {name_of(one) for one in operations} - effective - set(UNCHANGING) - set(world.CONFLICTS)
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
