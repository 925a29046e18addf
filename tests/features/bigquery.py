"""A stand-in of BigQuery on loopback: tables, rows, and what goes wrong when it is told to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.features.standin import Answer, Heard, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLES = re.compile(r"/bigquery/v2/projects/p/datasets/d/tables(?:/(\w+)/insertAll)?$")


class BigQueryStandIn(StandIn):
    """Keeps rows by their table and insert id, as the service does for a while; the with-block ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.url = self.origin
        self.tables: dict[str, dict[str, Any]] = {}
        self.schemas: dict[str, Any] = {}
        self.requests = 0
        self.status = 200  # of the next requests
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _row: False
        self.after: Callable[[], object] = lambda: None  # called once rows are in, before the answer

    def answered(self, heard: Heard) -> Answer:
        """Count a request and do what it asks for."""
        self.requests += 1
        status, told = self.answer(heard.path, json.loads(heard.body))
        return Answer(status, json.dumps(told).encode())

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table, in the order in which they came."""
        return list(self.tables.get(table, {}).values())

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Do what is asked."""
        if self.status != 200:
            return self.status, {"error": {"message": "not today"}}
        found = _TABLES.fullmatch(path)
        if found is None:
            return 404, {"error": {"message": "no such place"}}
        if found[1] is None:
            name = body["tableReference"]["tableId"]
            self.schemas[name] = body
            is_new = name not in self.tables
            self.tables.setdefault(name, {})
            return (200 if is_new else 409), {}
        if found[1] not in self.tables:
            return 404, {"error": {"message": "no such table"}}
        return 200, self._insert(self.tables[found[1]], body)

    def _insert(self, table: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        errors = []
        for index, row in enumerate(body["rows"]):
            if self.refuses(row["json"]):
                errors.append({"index": index, "errors": [{"reason": "invalid", "message": "bad"}]})
            else:
                table.setdefault(row["insertId"], row["json"])
        self.after()
        return {"insertErrors": errors} if errors else {}
