"""Lists: pages, cursors, fields, sorting, strict parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.answers import data_of, error_of
from tests.web import sample

if TYPE_CHECKING:
    from flask.testing import FlaskClient

URL = "/api/v1/sample"


def test_a_page_tells_where_it_stands(client: FlaskClient) -> None:
    response = client.get(URL, query_string={"limit": 3, "offset": 2})
    data = data_of(response)
    assert [item["id"] for item in data["items"]] == [2, 3, 4]
    assert data["total_count"] == len(sample.ITEMS)
    assert response.headers["X-Total-Count"] == str(len(sample.ITEMS))
    pagination = data["pagination"]
    assert (pagination["has_more"], pagination["next_offset"]) == (True, 5)


@pytest.mark.parametrize("step", [1, 3, 7])
def test_offsets_and_cursors_lead_through_everything_once(client: FlaskClient, step: int) -> None:
    for follow in ("offset", "cursor"):
        query: dict[str, Any] = {"limit": step}
        seen = []
        while True:
            data = data_of(client.get(URL, query_string=query))
            seen += [item["id"] for item in data["items"]]
            if not data["pagination"]["has_more"]:
                break
            query = {"limit": step, follow: data["pagination"][f"next_{follow}"]}
        assert seen == [item["id"] for item in sample.ITEMS]


def test_fields_are_picked_and_sorted(client: FlaskClient) -> None:
    data = data_of(client.get(URL, query_string={"fields": "size,id", "sort": "-size", "limit": 1}))
    assert data["items"] == [{"size": 60, "id": 6}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1_0", "limit"),
        ("limit=+5", "limit"),
        ("limit=", "limit"),
        ("limit=5.0", "limit"),
        ("offset=-1", "offset"),
        ("offset=9223372036854775808", "offset"),
        ("offset=" + "9" * 400, "offset"),
        ("cursor=%21", "cursor"),
        ("cursor=e30", "cursor"),
        ("cursor=W1tdXQ", "cursor"),
        ("sort=name", "sort"),
        ("fields=id,colour", "fields"),
        ("fields=", "fields"),
        ("since=yesterday", "since"),
        ("since=2026-02-30", "since"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("limit[]=1", "limit[]"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(client: FlaskClient, query: str, field: str) -> None:
    response = client.get(f"{URL}?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in error_of(response, "VALIDATION_ERROR")["errors"]] == [field]


def test_a_list_parameter_may_be_repeated(client: FlaskClient) -> None:
    data_of(client.get(f"{URL}?named=a&named=b&since=2026-01-01"))


@pytest.mark.parametrize(
    "query", ["limit=%zz", "limit=%", "named=%00", "named=%ff", "named=%ed%a0%80", "%00=1"]
)
def test_a_query_that_is_not_clean_text_is_refused(client: FlaskClient, query: str) -> None:
    response = client.get(
        "/api/v1/sample", environ_overrides={"QUERY_STRING": query, "RAW_URI": f"/?{query}"}
    )
    assert response.status_code == 400
    error_of(response, "MALFORMED_REQUEST")


@pytest.mark.parametrize("path", ["/api/v1/\x00", "/api/v1/sample/\xff", "/\xed\xa0\x80"])
def test_a_path_that_is_not_clean_text_is_refused(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path})
    assert response.status_code == 400
    error_of(response, "MALFORMED_REQUEST")
