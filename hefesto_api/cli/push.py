"""`hefesto analyze --push URL`: what was found goes to a server, as SARIF."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hefesto_api.cli import failures, output, results
from hefesto_api.domain.errors import AnalysisFailed, UsageError
from hefesto_api.domain.finding import Severity
from hefesto_api.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hefesto_api.cli.analyze import Wish
    from hefesto_api.cli.results import Findings
    from hefesto_api.storage.database import Database

DEADLINE = 300.0  # seconds for all of it: sending, and the server's work
_PLACE = "/api/v1/findings/import"
_ANSWER = 1024 * 1024  # bytes of an answer that are read
_IN_MEMORY = 1024 * 1024
_SLUG = re.compile(r"[^a-z0-9._-]+")
_SHOWN = ("new", "updated", "unchanged", "resolved")


def send(db: Database, found: Findings, wish: Wish, environ: Mapping[str, str]) -> None:
    """Send all that was found, whatever is shown of it: what is left out would count as gone."""
    url = wish.push or ""
    project = wish.project or project_of(found.results[0].selection.top.name)
    every = results.findings(db, found.results, Severity.LOW, suppressed=True)
    with results.sources(found.results) as source_of:
        report = output.report_of(db, found, wish._replace(severity="low"))
        whole = msgspec.structs.replace(report, findings=every, source_of=source_of)
        answer = push(url, project, FORMATS["sarif"].write(whole), environ)
    if not wish.quiet:
        failures.say(f"pushed to project {project} of {url}: {told(answer)}.")


def project_of(name: str) -> str:
    """Return the slug for a folder's name."""
    return _SLUG.sub("-", name.lower()).strip("-._")[:100] or "default"


def push(url: str, project: str, pieces: Iterable[bytes], environ: Mapping[str, str]) -> dict[str, Any]:
    """Send a SARIF report to a server and return what it says of it.

    Redirects are not followed: the key is for this server alone. Raises AnalysisFailed, and UsageError for
    a key that cannot be sent.
    """
    headers = {"Content-Type": "application/gzip", "Accept": "application/json"} | _authorization(environ)
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        with gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=6, mtime=0) as packed:
            for piece in pieces:
                packed.write(piece)
        headers["Content-Length"] = str(spool.tell())
        spool.seek(0)
        target = f"{url.rstrip('/')}{_PLACE}?{urllib.parse.urlencode({'project': project})}"
        request = urllib.request.Request(  # noqa: S310 - http or https, as checked
            target, cast("Any", spool), headers, method="POST"
        )
        return _within(DEADLINE, lambda: _sent(request, url), url)


def told(answer: Mapping[str, Any]) -> str:
    """Say what the server did."""
    counts = ", ".join(f"{answer.get(name, 0)} {name}" for name in _SHOWN)
    refused = answer.get("refused")
    return f"{counts}{f', {refused} refused' if refused else ''}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as it is: an answer that is no success."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _authorization(environ: Mapping[str, str]) -> dict[str, str]:
    key = environ.get("HEFESTO_API_KEY", "").strip()
    if not key:
        return {}
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise UsageError("HEFESTO_API_KEY holds what no key does.")
    return {"Authorization": f"Bearer {key}"}


def _within(seconds: float, send: Callable[[], dict[str, Any]], url: str) -> dict[str, Any]:
    """Do something that may take so long in all, however slowly the other side trickles."""
    outcome: list[dict[str, Any] | AnalysisFailed] = []

    def run() -> None:
        try:
            outcome.append(send())
        except AnalysisFailed as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise AnalysisFailed(f"--push {url}: no answer within {seconds:.0f} seconds.")
    if isinstance(outcome[0], AnalysisFailed):
        raise outcome[0]
    return outcome[0]


def _sent(request: urllib.request.Request, url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=DEADLINE) as answer:
            return _data(answer.read(_ANSWER), url)
    except urllib.error.HTTPError as error:
        with error:
            raise AnalysisFailed(f"--push {url}: {_refusal(error)}") from None
    except urllib.error.URLError as error:
        raise AnalysisFailed(f"--push {url}: {_reason(error.reason)}.") from None
    except (OSError, http.client.HTTPException) as error:
        raise AnalysisFailed(f"--push {url}: {_reason(error)}.") from None


def _reason(error: object) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"the server cannot be reached ({said})"


def _refusal(error: urllib.error.HTTPError) -> str:
    """Say how the server refused: in its own words, where it has some."""
    if 300 <= error.code < 400:
        return f"the server sends elsewhere ({error.code}), which is not followed; name that address."
    try:
        message = json.loads(error.read(_ANSWER))["error"]["message"]
    except (ValueError, TypeError, LookupError, OSError, http.client.HTTPException):
        message = error.reason
    hint = " Set HEFESTO_API_KEY." if error.code == 401 else ""
    return f"the server answers {error.code}: {str(message)[:300]}{hint}"


def _data(content: bytes, url: str) -> dict[str, Any]:
    try:
        data = json.loads(content)["data"]
        if all(isinstance(data[name], int) for name in _SHOWN):
            return dict(data)
    except (ValueError, TypeError, LookupError):
        pass
    raise AnalysisFailed(f"--push {url}: what answers there is no Hefesto server.")
