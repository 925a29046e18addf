"""BigQuery by its REST interface: tables that are made when they are missing, rows that are streamed in.

Google's own client brings gRPC and twenty packages along, for the three calls made here. What is taken
of Google's is the part that is hard: `google-auth`, which finds and renews credentials.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson
from msgspec import Struct

from hefesto_api.adapters import outgoing
from hefesto_api.adapters.outgoing import CallFailed
from hefesto_api.domain.errors import UsageError
from hefesto_api.domain.veil import veiled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.settings import Settings

    Columns = Sequence[tuple[str, str, str]]

HOST = "https://bigquery.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/bigquery"
MOST_ROWS = 500  # of a request, as the service advises
MOST_BYTES = 4_000_000  # of a request; the service takes ten million
SECONDS = 20.0
_EXISTS = 409


class Table(Struct, frozen=True):
    """A table: its columns as (name, type, mode), and those by which it is clustered; a partition a day."""

    name: str
    columns: Columns
    clustered_by: tuple[str, ...]
    partitioned_by: str = "timestamp"


class Row(Struct, frozen=True):
    """A row; who sends it again under the same `insert_id` within some minutes does not double it."""

    insert_id: str
    values: Mapping[str, Any]


class NotTaken(Exception):
    """BigQuery did not take what was sent; the message says why. `missing`: there is no such table."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class BigQuery:
    """A dataset; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._project = settings.bigquery_project
        self._dataset = settings.bigquery_dataset
        self._location = settings.bigquery_location
        self._url = (settings.bigquery_url or HOST).rstrip("/")
        # A credential is never sent in the clear: what answers over http is somebody's own stand-in.
        self._credentials = Credentials() if urlsplit(self._url).scheme == "https" else None

    def ensure(self, tables: Sequence[Table]) -> None:
        """Make the tables that are missing, and the dataset if it is said where; raises NotTaken."""
        datasets = f"/bigquery/v2/projects/{quote(self._project, safe='')}/datasets"
        if self._location:
            about = {"projectId": self._project, "datasetId": self._dataset}
            self._make(datasets, {"datasetReference": about, "location": self._location})
        for table in tables:
            self._make(f"{datasets}/{quote(self._dataset, safe='')}/tables", self._described(table))

    def insert(self, table: str, rows: Sequence[Row]) -> dict[int, str]:
        """Stream rows in; return why some were refused, by their places. Raises NotTaken: none is in."""
        body = {
            "skipInvalidRows": True,
            "ignoreUnknownValues": True,  # of a table that was made by an earlier version
            "rows": [{"insertId": row.insert_id, "json": row.values} for row in rows],
        }
        told = self._call("POST", f"{self._tables()}/{quote(table, safe='')}/insertAll", body)
        return {
            int(one["index"]): _reason(one)
            for one in told.get("insertErrors") or []
            if isinstance(one, dict) and 0 <= int(one.get("index", -1)) < len(rows)
        }

    def _tables(self) -> str:
        project, dataset = quote(self._project, safe=""), quote(self._dataset, safe="")
        return f"/bigquery/v2/projects/{project}/datasets/{dataset}/tables"

    def _described(self, table: Table) -> dict[str, Any]:
        reference = {"projectId": self._project, "datasetId": self._dataset, "tableId": table.name}
        return {
            "tableReference": reference,
            "schema": {"fields": [{"name": n, "type": kind, "mode": m} for n, kind, m in table.columns]},
            "timePartitioning": {"type": "DAY", "field": table.partitioned_by},
            "clustering": {"fields": list(table.clustered_by)},
        }

    def _make(self, path: str, body: dict[str, Any]) -> None:
        self._call("POST", path, body, also=_EXISTS)

    def _call(self, method: str, path: str, body: dict[str, Any], *, also: int = 0) -> dict[str, Any]:
        headers = (
            {} if self._credentials is None else {"Authorization": f"Bearer {self._credentials.token()}"}
        )
        try:
            answer = outgoing.call(
                method,
                self._url + path,
                json=orjson.dumps(body),
                headers=headers,
                seconds=SECONDS,
                most=4_000_000,
            )
        except CallFailed as error:
            raise NotTaken(str(error)) from error
        if not 200 <= answer.status < 300 and answer.status != also:
            said = veiled(_message(answer.body))
            raise NotTaken(f"BigQuery answers {answer.status}: {said}", missing=answer.status == 404)
        return _object(answer.body)


class Credentials:
    """Google's Application Default Credentials: a key file, a workload's identity, or the machine's own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Any = None
        self._session: Any = None

    def token(self) -> str:
        """Return a token that is good for some minutes; raises NotTaken."""
        with self._lock:
            try:
                if self._found is None:
                    self._found, _ = import_module("google.auth").default(scopes=[SCOPE])
                    self._session = import_module("google.auth.transport.urllib3").Request(_pool())
                if not self._found.valid:
                    self._found.refresh(self._session)
                return str(self._found.token)
            except Exception as error:  # google-auth raises many kinds, those of its transports too
                raise NotTaken(f"There are no credentials for BigQuery ({type(error).__name__}).") from error


def refuse_unusable(settings: Settings) -> None:
    """Raise UsageError where rows are to be sent and what is needed for that is not installed."""
    if not settings.bigquery or urlsplit(settings.bigquery_url or HOST).scheme != "https":
        return
    try:
        import_module("google.auth")
    except ImportError as error:
        raise UsageError(
            "HEFESTO_BIGQUERY_PROJECT: google-auth is missing. Install hefesto-api[bigquery]."
        ) from error


def _pool() -> Any:
    urllib3 = import_module("urllib3")
    return urllib3.PoolManager(timeout=urllib3.Timeout(total=SECONDS), retries=False)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise NotTaken("BigQuery's answer is no JSON.") from error
    if not isinstance(told, dict):
        raise NotTaken("BigQuery's answer is no object.")
    return told


def _message(body: bytes) -> str:
    """Return what an error says, cut to a line."""
    try:
        said = orjson.loads(body)["error"]["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "no reason is given"
    return " ".join(str(said).split())[:300]


def _reason(one: dict[str, Any]) -> str:
    errors = one.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return veiled(
        f"{first.get('location') or ''} {first.get('message') or first.get('reason') or '?'}".strip()[:300]
    )
