"""What a body held, in our values, and why some of it was left."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from hefesto_api.domain.alert import IncomingAlert, IncomingDeployment
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.formats.alerts.payload import Node

MAX_ITEMS = 1_000  # read of one body
_REASONS = 50

Item = IncomingAlert | IncomingDeployment | str


class Received(Struct, frozen=True):
    """The alerts and deployments of one body, and for each thing that was left, its place and the reason."""

    alerts: tuple[IncomingAlert, ...] = ()
    deployments: tuple[IncomingDeployment, ...] = ()
    ignored: tuple[str, ...] = ()


def received(items: Iterable[Item]) -> Received:
    """Sort what was read: alerts, deployments, and reasons (texts), of which 50 are kept."""
    items = list(items)
    reasons = [item for item in items if isinstance(item, str)]
    if len(reasons) > _REASONS:
        reasons[_REASONS:] = [f"and {len(reasons) - _REASONS} more"]
    return Received(
        tuple(item for item in items if isinstance(item, IncomingAlert)),
        tuple(item for item in items if isinstance(item, IncomingDeployment)),
        tuple(reasons),
    )


def each(nodes: Iterable[Node], read_one: Callable[[Node], Item]) -> list[Item]:
    """Read every node; one that cannot be read leaves its reason and does not keep the others out."""
    nodes = list(nodes)
    found = [_attempt(node, read_one) for node in nodes[:MAX_ITEMS]]
    if len(nodes) > MAX_ITEMS:
        found.append(f"only the first {MAX_ITEMS} are read")
    return found


def _attempt(node: Node, read_one: Callable[[Node], Item]) -> Item:
    try:
        return read_one(node.required_object())
    except Invalid as error:
        return f"{error.details['errors'][0]['field']}: {error.message}"
    except MalformedRequest as error:
        return f"{node.path}: {error.message}"
