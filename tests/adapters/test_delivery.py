"""Requests that users aim: no trick of an address reaches this machine, and no receiver holds us up."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.adapters.delivery import Refused, Sender, addresses, read_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LENGTH = re.compile(rb"(?i)content-length: (\d+)\r\n(?:.+\r\n)*\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOOPBACK = ["127.0.0.0/8", "::1/128"]


class Canary:
    """A server on loopback that counts who connects and answers as it is told."""

    def __init__(self, answer: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.server = socket.create_server((host, 0), family=family)
        self.port = self.server.getsockname()[1]
        self.calls = 0
        self.heard = b""
        self._answer = answer
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.calls += 1
            thread = threading.Thread(target=self._serve, args=(client,))
            thread.start()
            self._threads.append(thread)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            request = client.recv(65536)
            while (length := _LENGTH.search(request)) and len(request) < length.end() + int(length[1]):
                request += client.recv(65536)  # the body may come in a piece of its own
            self.heard += request
            self._answer(client)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self._thread.join()
        for thread in self._threads:
            thread.join()


@contextmanager
def canary(answer: bytes | Callable[[socket.socket], None] = OK, host: str = "127.0.0.1") -> Iterator[Canary]:
    def say(client: socket.socket) -> None:
        client.sendall(answer) if isinstance(answer, bytes) else answer(client)

    made = Canary(say, host)
    try:
        yield made
    finally:
        made.close()


def answering(*numbers: str) -> Callable[..., Any]:
    """Resolve any name to these addresses."""

    def resolver(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in numbers
        ]

    return resolver


TRICKS = [
    "127.0.0.1", "127.1", "127.0.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "2130706433", "017700000001",
    "127.0.0.1.", "localhost", "localhost.", "LOCALHOST", "0", "0.0.0.0", "00000", "[::1]", "[::]",  # noqa: S104
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]",
    "[fe80::1%25lo]", "[fec0::1]", "[fd00:ec2::254]", "[ff02::1]", "user@127.0.0.1", "example.com@127.0.0.1",
    "127.0.0.1#@example.com", "example.com#@127.0.0.1", "%31%32%37.0.0.1", "127%2e0%2e0%2e1",
    "１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1\\@example.com", "127.0.0.1\t",
    "127.0.0.1%00.example.com",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.88.99.1",
]  # fmt: skip


@pytest.mark.parametrize("host", TRICKS, ids=lambda host: ascii(host)[1:-1])
def test_no_trick_of_an_address_reaches_this_machine(host: str) -> None:
    with canary() as here, canary(host="::1") as there:
        for port in (here.port, there.port):
            outcome = Sender(seconds=2).send("POST", f"http://{host}:{port}/", b"{}")
            assert (outcome.status, outcome.is_success) == (None, False)
            assert outcome.error
        assert (here.calls, there.calls) == (0, 0)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://example.com/", "ftp://example.com", "//example.com", "http:", "http://",
     "http://:80/", "http://example.com:0/", "http://example.com:99999/", "http://[::1",
     "http://exa mple.com/",
     "http://example.com/\r\nX: y", "http://example.com/ü", "http://" + "a" * 3000, "http://a..b@c/",
     "http://example.com/#part", "http://-x/", "http://\ud800/", ""],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        read_url(url)


def test_public_addresses_are_read() -> None:
    target = read_url("https://Hooks.Example.com/a/b?c=d")
    assert (target.host, target.port, target.path) == ("hooks.example.com", 443, "/a/b?c=d")
    assert read_url("https://müller.example:8443").authority == "xn--mller-kva.example:8443"
    assert read_url("http://[2606:4700::1111]/").authority == "[2606:4700::1111]"
    assert read_url("http://9.9.9.9").host == "9.9.9.9"


@pytest.mark.parametrize(
    "numbers", [("127.0.0.1",), ("9.9.9.9", "127.0.0.1"), ("::ffff:127.0.0.1",), ("::1",)]
)
def test_a_name_that_stands_for_this_machine_is_refused(numbers: tuple[str, ...]) -> None:
    with canary() as here:
        sender = Sender(seconds=2, resolver=answering(*numbers))
        assert "private network" in str(sender.send("POST", f"http://public.example:{here.port}/").error)
        assert here.calls == 0


def test_a_name_is_resolved_once() -> None:
    answers = itertools.chain([answering("127.0.0.2")], itertools.repeat(answering("127.0.0.1")))
    asked = []

    def rebinding(host: str, port: int, **options: Any) -> Any:
        asked.append(host)
        return next(answers)(host, port, **options)

    with canary() as here:
        sender = Sender(["127.0.0.2/32"], seconds=2, resolver=rebinding)
        sender.send("POST", f"http://public.example:{here.port}/")
        assert (here.calls, asked) == (0, ["public.example"])
        sender.send("POST", f"http://public.example:{here.port}/")
        assert (here.calls, len(asked)) == (0, 2)


def test_the_peer_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with canary() as here:
        connect = socket.create_connection
        astray = lambda address, **options: connect(("127.0.0.1", address[1]), **options)  # noqa: E731
        monkeypatch.setattr(socket, "create_connection", astray)
        sender = Sender(["127.0.0.2/32"], seconds=2)
        assert "private network" in str(sender.send("POST", f"http://127.0.0.2:{here.port}/").error)
        assert here.heard == b""


def test_neither_proxies_nor_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with canary() as proxy, canary() as here:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert Sender(LOOPBACK).send("POST", f"http://127.0.0.1:{here.port}/x", b"{}").is_success
        assert (proxy.calls, here.calls) == (0, 1)


def test_what_is_allowed_is_sent_as_it_is() -> None:
    with canary() as here:
        headers = {"Content-Type": "application/json", "webhook-id": "1"}
        outcome = Sender(LOOPBACK).send("POST", f"http://127.0.0.1:{here.port}/in?a=b", b'{"n":1}', headers)
        assert (outcome.status, outcome.error, outcome.is_success) == (200, None, True)
        said = here.heard.split(b"\r\n")
        assert said[0] == b"POST /in?a=b HTTP/1.1"
        assert f"Host: 127.0.0.1:{here.port}".encode() in said
        assert b"Accept-Encoding: identity" in said
        assert b"webhook-id: 1" in said
        assert said[-1] == b'{"n":1}'


def drip(client: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000:
        client.sendall(bytes([byte]))
        time.sleep(0.02)


def drip_body(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    drip(client)


def hang(client: socket.socket) -> None:
    while client.recv(1024):
        pass


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless_continue(client: socket.socket) -> None:
    while True:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("how", [drip, drip_body, hang, endless_continue])
def test_who_takes_too_long_is_cut_off(how: Callable[[socket.socket], None]) -> None:
    with canary(how) as here:
        outcome = Sender(LOOPBACK, seconds=0.3).send("POST", f"http://127.0.0.1:{here.port}/", b"{}")
        assert (outcome.status, outcome.is_success) == (None, False)
        assert outcome.error == "No whole answer within 0.3 seconds."


@pytest.mark.parametrize(
    "answer",
    [reset, b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, b"HTTP/1.1 \xff\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ids=["reset", "nothing", "nonsense", "headers", "bytes", "line", "chunks"],
)  # fmt: skip
def test_answers_that_are_none_are_failures(answer: Any) -> None:
    with canary(answer) as here:
        outcome = Sender(LOOPBACK, seconds=5).send("POST", f"http://127.0.0.1:{here.port}/", b"{}")
        assert not outcome.is_success
        assert str(outcome.error).startswith("No answer")


def test_of_a_bomb_little_is_read_and_nothing_unpacked() -> None:
    sent = []

    def bomb(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999999999\r\n\r\n")
        with suppress(OSError):
            while True:
                sent.append(client.send(b"\0" * 65536))

    with canary(bomb) as here:
        assert Sender(LOOPBACK, seconds=5).send("POST", f"http://127.0.0.1:{here.port}/", b"{}").is_success
    assert sum(sent) < 64 * 2**20  # what the kernels' buffers hold


def test_a_redirect_is_a_failure_and_not_followed() -> None:
    with canary() as goal:
        answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{goal.port}/\r\nContent-Length: 0\r\n\r\n"
        with canary(answer.encode()) as here:
            outcome = Sender(LOOPBACK).send("POST", f"http://127.0.0.1:{here.port}/", b"{}")
        assert (outcome.status, outcome.is_success, goal.calls) == (302, False, 0)


def test_a_receiver_says_when_to_come_again() -> None:
    with canary(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") as here:
        outcome = Sender(LOOPBACK).send("POST", f"http://127.0.0.1:{here.port}/", b"{}")
    assert (outcome.status, outcome.retry_after, outcome.error) == (503, "7", "It answered 503.")


def test_a_resolver_that_hangs_does_not_hold_us_up() -> None:
    done = threading.Event()

    def resolver(*_: Any, **__: Any) -> Any:
        done.wait()
        return []

    try:
        outcome = Sender(seconds=0.2, resolver=resolver).send("POST", "http://public.example/")
    finally:
        done.set()
    assert outcome.error == "No whole answer within 0.2 seconds."


def test_networks_that_are_allowed_are_no_door_to_others() -> None:
    addresses.check("10.1.2.3", ["10.0.0.0/8"])
    for number in ("127.0.0.1", "::ffff:10.1.2.3", "192.168.0.1"):
        with pytest.raises(Refused):
            addresses.check(number, ["10.0.0.0/8"])
