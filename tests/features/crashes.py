"""A project of one file, a crash in it, and how it is reported: what tests of correlations share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.answers import data_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

URL = "/api/v1/iris/correlate-alert"
CODE = """\
def find(items, key):
    for item in items:
        if item["key"] == key:
            return item
    return None


def name_of(items, key):
    item = find(items, key)
    return item["name"].strip()


def main(items):
    print(name_of(items, "x"))
"""
TRACE = """\
Traceback (most recent call last):
  File "/opt/shop/pkg/names.py", line 14, in main
    print(name_of(items, "x"))
  File "/opt/shop/pkg/names.py", line 10, in name_of
    return item["name"].strip()
TypeError: 'NoneType' object is not subscriptable
"""


def analysed(service: Service) -> Service:
    """Put the file into the service's tree, analyse it as the project `shop`, and return the service."""
    service.write("pkg/names.py", CODE)
    service.client.post("/api/v1/analyze", json={"path": ".", "project": "shop", "async": True})
    service.worker.drain()
    return service


def correlate(service: Service, alert_id: str = "A-1", **more: Any) -> Any:
    """Post an alert of the project and return the answer."""
    alert = {"alert_id": alert_id, "project": "shop", "stacktrace": TRACE, **more}
    answer = service.client.post(URL, json=alert)
    assert answer.status_code == 200, answer.get_json()
    return data_of(answer)
