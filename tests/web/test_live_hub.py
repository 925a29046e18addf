"""The hub of live connections, over socket pairs and with hands on its clock."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain.access import ANONYMOUS, Principal
from hefesto_api.storage.tickets import Holder
from hefesto_api.web.live import channels
from hefesto_api.web.live.channels import EventStream, WebSocket
from hefesto_api.web.live.hub import Hub, Rooms
from hefesto_api.web.live.messages import Audience, Message
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.web.live.channels import Channel

FIRST = Message("snapshot", {"n": 0}, seq=7)


class Hall:
    """A hub that turns when it is told to, and the clients' ends of its connections."""

    def __init__(self, rooms: Rooms | None = None) -> None:
        self.now = 100.0
        self.gone: list[Channel] = []
        self.hub = Hub(Rooms(100, 0) if rooms is None else rooms, lambda: self.now, self.gone.append)
        self._ends: list[socket.socket] = []

    def enter(self, channel: Channel, *, audience: Audience | None = None, known: bool = True) -> Guest:
        """Connect somebody, who is known and told the first message unless it is said otherwise."""
        ours, theirs = socket.socketpair()
        self._ends.append(theirs)
        theirs.setblocking(False)
        self.hub.rooms.enter(channel.names)
        if known:
            channel.holder = Holder(ANONYMOUS)
            channel.audience = audience or Audience(ANONYMOUS)
        self.hub.add(channel, ours)
        if known:
            self.hub.join(channel, [FIRST])
        return Guest(self, channel, theirs)

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.hub.turn(0)

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, second by second, as the hub looks."""
        for _ in range(int(seconds)):
            self.now += 1
            self.turn(1)

    def end(self) -> None:
        """Close everything."""
        for one in self._ends:
            one.close()
        self.hub.start()
        self.hub.close()


class Guest:
    """A client's end of a connection."""

    def __init__(self, hall: Hall, channel: Channel, sock: socket.socket) -> None:
        self.hall = hall
        self.channel = channel
        self.sock = sock
        self.ended = False
        self.protocol = Protocol(CLIENT)

    def read(self) -> bytes:
        """Read all that has come."""
        got = b""
        try:
            while piece := self.sock.recv(1 << 20):
                got += piece
        except BlockingIOError:
            return got
        self.ended = True
        return got

    def frames(self) -> list[Frame]:
        """Read the frames that have come, as the library's client does, which is strict."""
        data = self.read()
        if data:
            self.protocol.receive_data(data)
        found = [one for one in self.protocol.events_received() if isinstance(one, Frame)]
        assert not isinstance(self.protocol.parser_exc, ProtocolError)
        return found

    def told(self) -> list[dict[str, Any]]:
        """Read the messages that have come."""
        return [json.loads(bytes(one.data)) for one in self.frames() if one.opcode is Opcode.TEXT]

    def closed(self) -> Close:
        """Read until the closing frame and return it."""
        (last,) = [one for one in self.frames() if one.opcode is Opcode.CLOSE]
        return Close.parse(last.data)

    def send(self, opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True) -> None:
        """Send a frame and let the hub see it."""
        self.sock.sendall(Frame(opcode, data, fin).serialize(mask=mask))
        self.hall.turn()


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.end()


def message(project: str | None = None, scope: str = "read:metrics", size: int = 0) -> Message:
    return Message("alert_new", {"x": "x" * size}, scope=scope, project=project, seq=9)


def test_who_comes_is_told_the_first_message_and_then_all_others(hall: Hall) -> None:
    socket_, stream = hall.enter(WebSocket()), hall.enter(EventStream())
    hall.hub.publish([message()])
    told = socket_.told()
    assert [(one["type"], one["id"]) for one in told] == [("snapshot", "7"), ("alert_new", "9")]
    assert set(told[0]) == {"type", "timestamp", "data", "id"}
    lines = stream.read().decode().split("\n\n")
    assert lines[0] == "retry: 3000"
    assert lines[1].startswith('id: 7\nevent: snapshot\ndata: {"type":"snapshot"')
    assert lines[2].startswith("id: 9\nevent: alert_new\ndata: {")


@pytest.mark.parametrize(
    ("scopes", "projects", "asked", "heard"),
    [
        ({"read:alerts"}, None, None, ["a", "b", None]),
        ({"admin"}, None, "a", ["a"]),
        ({"read:alerts"}, {"a"}, None, ["a"]),
        ({"read:alerts"}, {"a"}, "b", []),
        ({"read:metrics"}, None, None, []),
    ],
)
def test_everybody_hears_what_he_may(
    hall: Hall, scopes: set[str], projects: set[str] | None, asked: str | None, heard: list[str | None]
) -> None:
    bound = None if projects is None else frozenset(projects)
    who = Principal("1", "one", frozenset(scopes), bound, "key")
    guest = hall.enter(WebSocket(), audience=Audience(who, asked))
    guest.told()
    said = {
        name: Message("alert_new", {"of": name}, scope="read:alerts", project=name) for name in ("a", "b")
    }
    hall.hub.publish([*said.values(), Message("alert_new", {"of": None}, scope="read:alerts")])
    assert [one["data"]["of"] for one in guest.told()] == heard


def test_hearts_beat_every_thirty_seconds_without_drifting(hall: Hall) -> None:
    guest, stream = hall.enter(WebSocket()), hall.enter(EventStream())
    guest.told()
    stream.read()
    hall.pass_seconds(29)
    assert guest.told() == []
    hall.pass_seconds(61)
    assert [one["type"] for one in guest.told()] == ["heartbeat"] * 3
    assert stream.read().count(b"event: heartbeat\n") == 3


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(Opcode.CONT, b"x", True)], 1002),
        ([(Opcode.TEXT, b"x", False), (Opcode.TEXT, b"y", True)], 1002),
        ([(Opcode.BINARY, b"x", True)], 1003),
        ([(Opcode.TEXT, b"\xff", True)], 1007),
        ([(Opcode.TEXT, b"\xe2\x82", True)], 1007),
        ([(Opcode.TEXT, b"\xe2", False), (Opcode.CONT, b"x", True)], 1007),
        ([(Opcode.TEXT, b"x" * (channels.MOST_RECEIVED + 1), True)], 1009),
        ([(Opcode.TEXT, b"x" * 3000, False), (Opcode.CONT, b"x" * 3000, True)], 1009),
        ([(Opcode.TEXT, b"{}", True)] * (channels.BURST + 1), 1008),
        ([(Opcode.PING, b"", True)] * (channels.BURST + 1), 1008),
    ],
)
def test_what_breaks_the_rules_closes_with_the_code_that_says_so(
    hall: Hall, frames: list[tuple[Opcode, bytes, bool]], code: int
) -> None:
    guest = hall.enter(WebSocket())
    guest.told()
    guest.sock.sendall(b"".join(Frame(*one).serialize(mask=True) for one in frames))
    hall.turn(10)
    assert guest.closed().code == code
    assert guest.ended
    guest.sock.close()
    hall.turn()
    assert hall.gone == [guest.channel]


def test_an_unmasked_frame_breaks_the_rules(hall: Hall) -> None:
    guest = hall.enter(WebSocket())
    guest.told()
    guest.send(Opcode.TEXT, b"x", mask=False)
    assert guest.closed().code == 1002


def test_pings_between_fragments_are_answered_and_the_text_is_whole(hall: Hall) -> None:
    shown: list[str] = []
    channel = WebSocket()
    channel.shown = shown.append
    guest = hall.enter(channel, known=False)
    euro = "a-token-€".encode()
    guest.send(Opcode.TEXT, euro[:9], fin=False)
    guest.send(Opcode.PING, b"are you there")
    guest.send(Opcode.CONT, euro[9:])
    (pong,) = guest.frames()
    assert (pong.opcode, pong.data) == (Opcode.PONG, b"are you there")
    assert shown == ["a-token-€"]


@pytest.mark.parametrize(("payload", "code"), [(b"", 1005), (b"\x03\xe8bye", 1000), (b"\x0f\xa0", 4000)])
def test_a_close_is_echoed(hall: Hall, payload: bytes, code: int) -> None:
    guest = hall.enter(WebSocket())
    guest.told()
    guest.send(Opcode.CLOSE, payload)
    assert guest.closed().code == code
    assert guest.ended


@pytest.mark.parametrize("payload", [b"\x03", b"\x03\xec", b"\x03\xe8\xff"])
def test_a_close_that_is_none_breaks_the_rules(hall: Hall, payload: bytes) -> None:
    guest = hall.enter(WebSocket())
    guest.told()
    guest.send(Opcode.CLOSE, payload)
    assert guest.closed().code in {1002, 1007}


def test_a_credential_comes_as_json_with_the_last_event_too(hall: Hall) -> None:
    shown: list[str] = []
    channel = WebSocket()
    channel.shown = shown.append
    guest = hall.enter(channel, known=False)
    guest.send(Opcode.TEXT, b'{"token": "heft_x", "last_event_id": "12"}')
    assert (shown, channel.after) == (["heft_x"], 12)


@pytest.mark.parametrize("text", [b"{", b"{}", b'{"token": []}', b'{"token": {"a": 1}, "last_event_id": {}}'])
def test_a_first_message_that_shows_nothing_is_no_fault_of_ours(hall: Hall, text: bytes) -> None:
    shown: list[str] = []
    channel = WebSocket()
    channel.shown = shown.append
    hall.enter(channel, known=False).send(Opcode.TEXT, text)
    assert len(shown) == 1
    assert not channel.gone


def test_who_says_nothing_is_sent_away(hall: Hall) -> None:
    guest = hall.enter(WebSocket(), known=False)
    hall.pass_seconds(11)
    assert guest.closed().code == channels.UNAUTHENTICATED
    hall.pass_seconds(10)
    assert hall.gone == [guest.channel]


def test_a_slow_reader_is_told_so_and_holds_nobody_up(hall: Hall) -> None:
    slow, quick = hall.enter(WebSocket()), hall.enter(WebSocket())
    quick.told()
    large = message(size=50_000)
    for _ in range(40):
        hall.hub.publish([large])
        assert len(quick.told()) == 1
        assert slow.channel.size <= channels.MOST_WAITING + 60_000
    frames: list[Frame] = []
    for _ in range(20):
        frames += slow.frames()
        hall.turn()
    close = Close.parse(frames[-1].data)
    assert (frames[-1].opcode, close.code) == (Opcode.CLOSE, channels.TRY_LATER)
    assert "slow" in close.reason.lower()


def test_a_slow_reader_of_events_is_told_so(hall: Hall) -> None:
    slow = hall.enter(EventStream())
    for _ in range(40):
        hall.hub.publish([message(size=50_000)])
    told = b""
    for _ in range(20):
        told += slow.read()
        hall.turn()
    assert told.endswith(
        b'event: end\ndata: {"code":1013,"reason":"Too slow: read faster, then come back."}\n\n'
    )
    assert slow.ended


def test_who_reads_nothing_at_all_is_let_go(hall: Hall) -> None:
    stuck = hall.enter(WebSocket())
    for _ in range(40):
        hall.hub.publish([message(size=50_000)])
    hall.pass_seconds(10)
    assert hall.gone == [stuck.channel]


def test_who_leaves_is_forgotten(hall: Hall) -> None:
    guests = [hall.enter(WebSocket()), hall.enter(EventStream())]
    for one in guests:
        one.sock.close()
    hall.hub.publish([message()])
    hall.turn()
    assert set(hall.gone) == {one.channel for one in guests}
    assert (len(hall.hub), len(hall.hub.rooms)) == (0, 0)


def test_all_are_told_when_the_service_goes_away(hall: Hall) -> None:
    guest, stream = hall.enter(WebSocket()), hall.enter(EventStream())
    guest.told()
    hall.hub.post(hall.hub._begin_to_close)
    hall.turn()
    assert guest.closed().code == channels.GOING_AWAY
    assert b'event: end\ndata: {"code":1001' in stream.read()
    late = WebSocket()
    ours, theirs = socket.socketpair()
    with theirs:
        hall.hub.add(late, ours)
        assert theirs.recv(1) == b""


def test_what_was_read_before_the_hub_held_it_is_not_lost(hall: Hall) -> None:
    shown: list[str] = []
    channel = WebSocket()
    channel.shown = shown.append
    ours, theirs = socket.socketpair()
    with theirs:
        hall.hub.rooms.enter(())
        hall.hub.add(channel, ours, Frame(Opcode.TEXT, b"early").serialize(mask=True))
        assert shown == ["early"]


def test_there_is_room_for_so_many_of_each() -> None:
    rooms = Rooms(3, 2)
    assert rooms.enter(("address a",))
    assert rooms.enter(("address a", "key 1"))
    assert not rooms.enter(("address a",))
    assert rooms.enter(("address b", "key 1"))
    assert not rooms.enter(("address c",))
    rooms.leave(("address a", "key 1"))
    assert rooms.enter(("address c",))


def test_too_many_of_one_caller_are_closed() -> None:
    hall = Hall(Rooms(10, 1))
    first, second = hall.enter(WebSocket()), hall.enter(WebSocket())
    for one in (first, second):
        one.told()
        hall.hub.count(one.channel, "key 1")
    assert second.closed().code == channels.TOO_MANY
    assert first.frames() == []
    hall.end()


def test_bytes_at_random_never_stop_the_hub(hall: Hall) -> None:
    listener = hall.enter(WebSocket())
    listener.told()
    for size in (1, 2, 7, 130, 5000):
        hall.enter(WebSocket()).sock.sendall(os.urandom(size))
    hall.turn(10)
    hall.hub.publish([message()])
    assert len(listener.told()) == 1
