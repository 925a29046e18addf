"""The order of a log: every commit before its parents, the younger first where that leaves a choice."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.adapters.history.port import Logged

if TYPE_CHECKING:
    from collections.abc import Callable


class Node(NamedTuple):
    """A commit's parents and when it was committed, in seconds."""

    parents: tuple[str, ...]
    time: int


def walk(
    head: str, read: Callable[[str], Node | None], is_known: Callable[[str], bool], limit: int
) -> list[Logged]:
    """Return the unknown commits that are reachable from a head; `read` answers None for what is not there.

    Beyond `limit` the oldest are left out, which are taken to be those that were committed first.
    """
    nodes = _reached(head, read, is_known, limit)
    children = dict.fromkeys(nodes, 0)
    for node in nodes.values():
        for parent in node.parents:
            if parent in children:
                children[parent] += 1
    ready = [(-nodes[name].time, name) for name, count in children.items() if not count]
    heapq.heapify(ready)
    ordered: list[Logged] = []
    while ready:
        name = heapq.heappop(ready)[1]
        node = nodes[name]
        ordered.append(Logged(name, node.parents))
        for parent in node.parents:
            if parent in children:
                children[parent] -= 1
                if not children[parent]:
                    heapq.heappush(ready, (-nodes[parent].time, parent))
    return ordered


def _reached(
    head: str, read: Callable[[str], Node | None], is_known: Callable[[str], bool], limit: int
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    seen = {head}
    waiting: list[tuple[int, str, Node]] = []

    def await_(name: str) -> None:
        node = None if is_known(name) else read(name)
        if node is not None:
            heapq.heappush(waiting, (-node.time, name, node))

    await_(head)
    while waiting and len(nodes) < limit:
        _, name, node = heapq.heappop(waiting)
        nodes[name] = node
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                await_(parent)
    return nodes
