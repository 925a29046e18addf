"""A creation that is sent twice with the same key is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import g
from hefesto_api.domain.access import ALL_SCOPES, Principal
from hefesto_api.storage import idempotency
from tests.answers import data_of, error_of
from tests.web import sample

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime

URL = "/api/v1/sample"
KEY = {"Idempotency-Key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


def test_the_first_answer_is_given_again(client: FlaskClient) -> None:
    first = client.post(URL, json={"name": "a"}, headers=KEY)
    again = client.post(URL, json={"name": "a"}, headers=KEY)
    assert sample.made == ["a"]
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


def test_quotes_are_optional(client: FlaskClient) -> None:
    client.post(URL, json={"name": "a"}, headers={"Idempotency-Key": '"key"'})
    client.post(URL, json={"name": "a"}, headers={"Idempotency-Key": "key"})
    assert sample.made == ["a"]


def test_without_a_key_everything_is_new(client: FlaskClient) -> None:
    assert [data_of(client.post(URL, json={"name": "a"}))["id"] for _ in range(2)] == [1, 2]


def test_another_body_under_the_same_key_is_refused(client: FlaskClient) -> None:
    client.post(URL, json={"name": "a"}, headers=KEY)
    response = client.post(URL, json={"name": "b"}, headers=KEY)
    assert response.status_code == 422
    error_of(response, "VALIDATION_ERROR")
    assert sample.made == ["a"]


def test_a_request_that_still_runs_is_a_conflict(client: FlaskClient, app: Flask) -> None:
    client.post(URL, json={"name": "a"}, headers=KEY)
    runtime: Runtime = app.extensions["hefesto"]
    with runtime.db.write() as session:
        session.execute(idempotency.idempotency_keys.update().values(status="running"))
    response = client.post(URL, json={"name": "a"}, headers=KEY)
    assert response.status_code == 409
    error_of(response, "CONFLICT")


def test_a_refusal_is_kept_as_well(client: FlaskClient) -> None:
    answers = [client.post(URL, json={"name": "taken"}, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert sample.made == ["taken"]


def test_a_failure_of_ours_may_be_tried_again(client: FlaskClient) -> None:
    answers = [client.post(URL, json={"name": "broken"}, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert sample.made == ["broken", "broken"]
    assert all(b"shadow" not in answer.data for answer in answers)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "schlüssel".encode().decode("latin-1"), '"a"b"'])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    response = client.post(URL, json={"name": "a"}, headers={"Idempotency-Key": key})
    assert response.status_code == 422
    assert sample.made == []


def test_who_was_bound_to_projects_since_gets_no_former_answer(app: Flask) -> None:
    bound: list[frozenset[str] | None] = [None]

    @app.before_request
    def identify() -> None:
        g.principal = Principal("one", "one", ALL_SCOPES, bound[0], "key")

    client = app.test_client()
    for projects, size in (
        (None, 1),
        (frozenset({"a"}), 2),
        (frozenset({"a"}), 2),
        (frozenset({"a", "b"}), 3),
    ):
        bound[0] = projects
        answer = client.post("/api/v1/sample", json={"name": "x"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201
        assert len(sample.made) == size
