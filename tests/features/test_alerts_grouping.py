"""An error's type is told apart by its digits; what an earlier version took for one is not torn apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import grouping
from tests.answers import data_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

PLACE = "/api/v1/alerts"
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/api.py", line 4, in load
    raise {error}()
shop.errors.{error}: gone
"""


@pytest.fixture
def quiet(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, whose jobs nobody works off."""
    return make_service(db_url)


@pytest.fixture
def former(quiet: Service) -> dict[str, Any]:
    """What the version before made of two crashes whose types differ in their digits: one alert."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "plain_type", grouping.former_type)
        alert, again = post(quiet, "old-404", "Http404"), post(quiet, "old-500", "Http500")
    assert again["id"] == alert["id"]
    return alert


def post(service: Service, name: str, error: str, **fields: Any) -> dict[str, Any]:
    body = {"alert_id": name, "project": "shop", "stacktrace": TRACE.format(error=error), **fields}
    told: dict[str, Any] = data_of(service.client.post(PLACE, json=body))
    return told


def resolve(service: Service, alert: dict[str, Any]) -> None:
    data_of(service.client.post(f"{PLACE}/{alert['id']}/resolve", json={}))


def test_types_that_differ_in_their_digits_are_two_alerts(quiet: Service) -> None:
    missing, broken = post(quiet, "a", "Http404"), post(quiet, "b", "Http500")
    assert missing["id"] != broken["id"]
    assert post(quiet, "c", "Http404")["id"] == missing["id"]
    assert quiet.get(f"/alerts/{missing['id']}")["occurrence_count"] == 2


def test_what_was_one_alert_stays_one_while_it_is_open(quiet: Service, former: dict[str, Any]) -> None:
    assert post(quiet, "c", "Http404")["id"] == former["id"]
    assert post(quiet, "d", "Http500")["id"] == former["id"]
    assert quiet.get(f"/alerts/{former['id']}")["occurrence_count"] == 4


def test_after_its_end_each_begins_anew_and_points_to_it(quiet: Service, former: dict[str, Any]) -> None:
    resolve(quiet, former)
    missing, broken = post(quiet, "c", "Http404"), post(quiet, "d", "Http500")
    assert missing["id"] != broken["id"]
    assert [missing["regression_of"], broken["regression_of"]] == [former["id"]] * 2
    resolve(quiet, missing)
    assert post(quiet, "e", "Http404")["regression_of"] == missing["id"]


def test_what_people_decided_about_it_holds(quiet: Service, former: dict[str, Any]) -> None:
    """Also after the alert that it was merged into is over."""
    other = post(quiet, "o", "Lost")
    data_of(quiet.client.post(f"{PLACE}/{former['id']}/merge", json={"into": other["id"]}))
    assert post(quiet, "c", "Http404")["id"] == other["id"]
    resolve(quiet, other)
    assert post(quiet, "d", "Http500")["regression_of"] == other["id"]


def test_a_person_parts_what_came_since(quiet: Service, former: dict[str, Any]) -> None:
    post(quiet, "c", "Http500")
    (newest, *_) = quiet.get(f"/alerts/{former['id']}/occurrences")["occurrences"]
    body = {"fingerprint": newest["fingerprint"]}
    parted = data_of(quiet.client.post(f"{PLACE}/{former['id']}/split", json=body))
    assert post(quiet, "d", "Http500")["id"] == parted["id"]
    assert post(quiet, "e", "Http404")["id"] == former["id"]


def test_its_sender_ends_it(quiet: Service, former: dict[str, Any]) -> None:
    """By the same crash alone: neither the sender's group nor a known `alert_id` says which alert is over."""
    ended = post(quiet, "never told", "Http404", alert_type="error.resolved")
    assert (ended["id"], ended["status"]) == (former["id"], "resolved")
