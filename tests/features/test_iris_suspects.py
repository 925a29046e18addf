"""Who is suspected over HTTP, in a repository with a real history: by what was deployed and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.answers import data_of
from tests.features.repositories import FIRST, Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

PRICES = """\
RATES = {"EUR": 1.0, "USD": 1.1}


def rate_of(currency):
    if currency not in RATES:
        raise KeyError(currency)
    return RATES[currency]


def price_in(amount, currency):
    return amount * rate_of(currency)


def banner():
    return "Welcome"
"""
ORDERS = """\
from shop.prices import price_in


def total(order):
    return sum(price_in(item["amount"], order["currency"]) for item in order["items"])


def checkout(order):
    return {"total": total(order)}
"""
# The culprit: a currency that is unknown is None from now on, and amounts are multiplied by it.
CULPRIT = PRICES.replace("raise KeyError(currency)", "return None")
INNOCENT = CULPRIT.replace('return "Welcome"', 'return "Welcome back"')
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/shop/orders.py", line 9, in checkout
    return {"total": total(order)}
  File "/srv/shop/shop/orders.py", line 5, in total
    return sum(price_in(item["amount"], order["currency"]) for item in order["items"])
  File "/srv/shop/shop/prices.py", line 11, in price_in
    return amount * rate_of(currency)
TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'
"""


class Shop:
    """A project with four commits: the first, the culprit, one to another function, one elsewhere."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.repository = Repository(service.root)
        self.first = self.repository.commit("Prices and orders", shop__prices=PRICES, shop__orders=ORDERS)
        self.culprit = self.repository.commit(
            "Unknown currencies are fine", author="Grace", shop__prices=CULPRIT
        )
        self.innocent = self.repository.commit("Greet those who return", shop__prices=INNOCENT)
        self.later = self.repository.commit("A page about us", shop__about="def about():\n    return 1\n")
        service.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
        service.worker.drain()

    def deploy(self, commit: str, hours: int, environment: str = "production") -> None:
        """Tell that a commit was deployed so many hours after the first one was made."""
        at = FIRST.replace(hour=9 + hours).isoformat()
        marker = {"project": "shop", "commit_hash": commit, "deployed_at": at, "environment": environment}
        assert self.service.client.post("/api/v1/deployments", json=marker).status_code == 201

    def correlate(self, **more: Any) -> dict[str, Any]:
        """Report the crash and return the answer."""
        alert = {"alert_id": "crash", "project": "shop", "stacktrace": TRACE, **more}
        answer = self.service.client.post("/api/v1/iris/correlate-alert", json=alert)
        assert answer.status_code == 200, answer.get_json()
        return data_of(answer)  # type: ignore[no-any-return]


def _hashes(answer: dict[str, Any]) -> list[str]:
    return [one["commit_hash"] for one in answer["suspect_commits"]]


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Shop:
    """The project on each database in turn, analysed, its history indexed."""
    return Shop(make_service(db_url))


def test_the_culprit_is_found_when_it_is_deployed(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    shop.deploy(shop.later, 6)
    answer = shop.correlate()
    assert _hashes(answer)[0] == shop.culprit
    assert answer["suspect_commits"][0]["author"] == "Grace"
    assert answer["deployed"]["commit_hash"] == shop.later
    assert "shop/prices.py" in {one["file_path"] for one in answer["suspect_functions"]}


def test_a_later_change_in_another_function_of_the_file_is_not_blamed(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    shop.deploy(shop.later, 6)
    assert shop.innocent not in _hashes(shop.correlate())
    assert shop.later not in _hashes(shop.correlate(alert_id="again"))


@pytest.mark.parametrize("told", ["marker", "commit", "abbreviated", "release"])
def test_what_was_not_deployed_is_never_suspected(shop: Shop, told: str) -> None:
    more: dict[str, str] = {}
    if told == "marker":
        shop.deploy(shop.first, 1)
    elif told == "release":
        more["release"] = f"shop@{shop.first[:12]}"
    else:
        more["commit_hash"] = shop.first[:10] if told == "abbreviated" else shop.first
    answer = shop.correlate(**more)
    assert shop.culprit not in _hashes(answer)
    assert answer["suspect_functions"], "without the commit, the functions are suspected all the same"


def test_what_runs_elsewhere_does_not_count(shop: Shop) -> None:
    shop.deploy(shop.first, 1, "production")
    shop.deploy(shop.later, 6, "staging")
    assert shop.culprit not in _hashes(shop.correlate(environment="production"))
    assert shop.culprit in _hashes(shop.correlate(environment="staging", alert_id="staged"))


def test_what_ran_at_the_time_of_the_alert_counts(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    shop.deploy(shop.later, 6)
    before = FIRST.replace(hour=12).isoformat()
    assert shop.culprit not in _hashes(shop.correlate(timestamp=before))


def test_of_a_revision_that_nobody_knows_no_commit_is_suspected(shop: Shop) -> None:
    answer = shop.correlate(commit_hash="0123456789abcdef0123456789abcdef01234567")
    assert answer["suspect_commits"] == []
    assert any("not on record" in action for action in answer["recommended_actions"])


def test_without_a_word_of_what_runs_the_commits_that_are_there_are_suspected(shop: Shop) -> None:
    answer = shop.correlate()
    assert shop.culprit in _hashes(answer)
    assert any("which revision runs" in action for action in answer["recommended_actions"])


def test_a_revision_on_a_branch_is_indexed_when_it_is_deployed(shop: Shop) -> None:
    shop.repository.git("checkout", "-q", "-b", "hotfix", shop.first)
    hotfix = shop.repository.commit("Hotfix", author="Edsger", shop__prices=CULPRIT)
    shop.repository.git("checkout", "-q", "main")
    shop.deploy(shop.first, 1)
    shop.deploy(hotfix, 6)
    shop.service.worker.drain()
    assert _hashes(shop.correlate())[:1] == [hotfix]


def test_the_code_that_ran_is_read_though_another_is_checked_out(shop: Shop) -> None:
    moved = "# a line\n" * 30 + INNOCENT
    shop.repository.commit("Move everything down", shop__prices=moved)
    shop.service.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
    shop.service.worker.drain()
    answer = shop.correlate(commit_hash=shop.culprit)
    lines = {one["function_name"]: one["line_number"] for one in answer["suspect_functions"]}
    assert lines["price_in"] == 11
    assert lines["rate_of"] <= 7


def test_deployments_tell_their_commits(shop: Shop) -> None:
    shop.deploy(shop.first, 1)
    shop.deploy(shop.later, 6)
    newest = shop.service.get("/deployments", project="shop")["deployments"][0]
    assert newest["commits_known"] is True
    assert [one["commit_hash"] for one in newest["commits"]] == [shop.later, shop.innocent, shop.culprit]
    assert newest["commits"][2]["message"] == "Unknown currencies are fine"
    assert newest["commits_total"] == 3


def test_going_back_ships_nothing_new(shop: Shop) -> None:
    shop.deploy(shop.later, 1)
    shop.deploy(shop.first, 6)
    newest = shop.service.get("/deployments", project="shop")["deployments"][0]
    assert (newest["commits_known"], newest["commits"]) == (True, [])
