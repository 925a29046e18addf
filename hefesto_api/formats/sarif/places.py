"""Writing places: files as URIs, and the flows and related places that another tool's report told of."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

_URI_SAFE = "/-._~!$&'()*+,;=@"
_REGION = {"line": "startLine", "column": "startColumn", "end_line": "endLine", "end_column": "endColumn"}


def artifact(path: str) -> dict[str, Any]:
    """Return a path as a relative URI reference; bytes that are no UTF-8 are encoded as they are."""
    try:
        uri = quote(path, safe=_URI_SAFE, errors="surrogateescape")
    except UnicodeEncodeError:
        uri = quote(path, safe=_URI_SAFE, errors="surrogatepass")
    return {"uri": uri.lstrip("/") or ".", "uriBaseId": "%SRCROOT%"}


def flows_and_related(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the code flows and related locations of a result, as the import had kept them."""
    threads = [list(_locations(steps)) for steps in _list(metadata.get("code_flows"))]
    flows = [{"threadFlows": some} for some in _flows(threads, _list(metadata.get("code_flow_threads")))]
    related = list(_locations(metadata.get("related")))
    return ({"codeFlows": flows} if flows else {}) | ({"relatedLocations": related} if related else {})


def _flows(threads: list[list[dict[str, Any]]], counts: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """Group threads into flows: by the counts that were kept, else one each; without steps there is none."""
    told = [{"locations": [{"location": place} for place in thread]} for thread in threads]
    rest = iter(told)
    for count in counts if sum(_whole(counts)) == len(told) else [1] * len(told):
        flow = [one for _, one in zip(range(count), rest, strict=False) if one["locations"]]
        if flow:
            yield flow


def _whole(counts: list[Any]) -> Iterator[int]:
    return (count if isinstance(count, int) and count > 0 else -len(counts) for count in counts)


def _locations(steps: Any) -> Iterator[dict[str, Any]]:
    """Yield the steps that say where or what they are."""
    for step in _list(steps):
        if not isinstance(step, dict):
            continue
        location: dict[str, Any] = {}
        if isinstance(step.get("file"), str) and step["file"]:
            location["physicalLocation"] = {"artifactLocation": artifact(step["file"])}
            region = {told: step[name] for name, told in _REGION.items() if _counts(step.get(name))}
            if "startLine" in region:
                location["physicalLocation"]["region"] = region
        if isinstance(step.get("message"), str) and step["message"]:
            location["message"] = {"text": step["message"]}
        if location:
            yield location


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
