"""A thousand connections that stay open, each asking now and then: none may be closed, refused or slow."""

from __future__ import annotations

import random
import selectors
import socket
import time
from typing import NamedTuple

EVERY = 3.0  # seconds between two questions of a connection


class Held(NamedTuple):
    """What came of it: milliseconds of each answer, connections that were lost, answers that were not 200."""

    took: list[float]
    lost: int
    failed: int


class _Talk:
    def __init__(self, port: int, due: float) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.due = due
        self.asked = 0.0
        self.got = b""


def hold(port: int, connections: int, seconds: float) -> Held:
    """Hold connections so long."""
    chance = random.Random(7)  # noqa: S311
    question = f"GET /api/v1/projects?limit=5 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    began = time.perf_counter()
    talks = [_Talk(port, time.perf_counter() + chance.random() * EVERY) for _ in range(connections)]
    took: list[float] = []
    lost = failed = 0
    until = time.perf_counter() + max(seconds, began - time.perf_counter())
    with selectors.DefaultSelector() as waiting:
        for talk in talks:
            waiting.register(talk.sock, selectors.EVENT_READ, talk)
        while (now := time.perf_counter()) < until:
            for talk in talks:
                if not talk.asked and talk.due <= now:
                    talk.asked, talk.got = talk.due, b""
                    talk.sock.sendall(question)
            for key, _ in waiting.select(0.005):
                heard = key.data
                piece = heard.sock.recv(1 << 16)
                heard.got += piece
                if not piece:
                    lost += 1
                    waiting.unregister(heard.sock)
                    talks.remove(heard)
                elif _is_whole(heard.got):
                    took.append((time.perf_counter() - heard.asked) * 1000)
                    failed += not heard.got.startswith(b"HTTP/1.1 200")
                    heard.due, heard.asked = heard.due + EVERY, 0.0
    for talk in talks:
        talk.sock.close()
    return Held(took, lost, failed)


def _is_whole(got: bytes) -> bool:
    head, end, body = got.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)
