"""Answers that are read no longer than there is time."""

from __future__ import annotations

import socket
import time

import pytest
from hefesto_api.adapters.deadline import answers_until

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_what_is_there_already_is_not_read_once_the_time_is_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(CONTINUE * 1000 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        ours.shutdown(socket.SHUT_RDWR)  # which takes nothing of it away
        with answers_until(time.monotonic())(ours) as answer, pytest.raises(TimeoutError):
            answer.begin()


def test_in_time_an_answer_is_read_as_ever() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(CONTINUE * 3 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        with answers_until(time.monotonic() + 60)(ours) as answer:
            answer.begin()
            assert (answer.status, answer.read()) == (200, b"hi")
