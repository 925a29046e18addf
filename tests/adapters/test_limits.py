"""Counting calls: exact in every window, shared by processes and hosts, and never a failure."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import pytest
from flask_limiter import Limiter as FlaskLimiter
from hefesto_api import settings as all_settings
from hefesto_api.adapters import limits
from hefesto_api.adapters.limits import memory, place, windows
from hefesto_api.adapters.limits.counts import Counts
from hefesto_api.adapters.limits.host import HostStorage
from hefesto_api.adapters.limits.redis import RedisWindows
from hefesto_api.adapters.limits.shared import SharedStorage
from hefesto_api.domain import limits as policies
from hefesto_api.domain.errors import UsageError
from hefesto_api.domain.limits import Policy, Window
from limits.storage import MemoryStorage, storage_from_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FREE = policies.tier("free", 10, 20, 100, 1000)
ROOT = Path(__file__).parents[2]


class Clock:
    """Milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 50_000_000

    def __call__(self) -> int:
        return self.now


class Log:
    """The definition: the times of all calls, counted anew for every question."""

    def __init__(self) -> None:
        self._calls: dict[str, list[int]] = defaultdict(list)

    def acquire(self, who: str, policy: Policy, now: int) -> tuple[bool, int]:
        """Return whether a call is allowed, and what is left then of the window with the least."""
        calls = self._calls[who]
        left = min(limit - sum(now - one <= span for one in calls) for limit, span in policy.spans)
        if left > 0:
            calls.append(now)
        return left > 0, max(left - 1, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "counts.map"


@pytest.fixture
def make(file: Path, clock: Clock) -> Iterator[Callable[..., Counts]]:
    """Open counts of a file that all of them share, as other processes would."""
    opened: list[Counts] = []

    def open_counts(**options: Any) -> Counts:
        opened.append(Counts(file, **{"now": clock, **options}))
        return opened[-1]

    yield open_counts
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own."""
    with Redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis.url


class Redis:
    """A server on a socket of its own, which a test may kill."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "r"
        self.url = f"unix://{self._socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server")
        argv = [program, "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, cwd=self._socket.parent)
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(str(self._socket)) != 0:
                assert self._process.poll() is None

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def weigh_against_the_definition(
    ask: Callable[[str, Policy], Any], clock: Clock, chance: random.Random, calls: int
) -> None:
    """Make calls at random times and compare each answer with the definition's."""
    policy = policies.tier("x", chance.choice([1, 3]), chance.choice([3, 6]), chance.choice([10, 40]), 60)
    log = Log()
    for _ in range(calls):
        if chance.random() < 0.5:
            clock.now += chance.choice([0, 1, 50, 1000, 20_000, 60_000, 60_001, 300_000])
        if chance.random() < 0.002:
            clock.now += 90_000_000
        who = f"caller {chance.randrange(3)}"
        standing = ask(who, policy)
        assert (standing.allowed, standing.remaining) == log.acquire(who, policy, clock.now)
        if not standing.allowed and chance.random() < 0.3:
            clock.now += standing.wait - 1
            assert not ask(who, policy).allowed
            clock.now += 1


@pytest.mark.parametrize("seed", range(6))
def test_every_window_holds_exactly(make: Callable[..., Counts], clock: Clock, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    processes = [make(least=4096), make(least=4096)]  # so small that it is replaced again and again
    weigh_against_the_definition(
        lambda who, policy: chance.choice(processes).acquire(who, policy), clock, chance, 800
    )


@pytest.mark.redis
def test_redis_holds_every_window_exactly(redis_url: str, clock: Clock) -> None:
    redis = RedisWindows(f"hefesto+{redis_url}{PATIENT}", now=clock)
    chance = random.Random(7)  # noqa: S311 - no secret
    weigh_against_the_definition(redis.acquire, clock, chance, 800)
    redis.close()


def test_a_refused_call_does_not_count(make: Callable[..., Counts], clock: Clock) -> None:
    counts = make()
    for _ in range(20):
        assert counts.acquire("a", FREE).allowed
    for _ in range(500):
        clock.now += 100
        assert not counts.acquire("a", FREE).allowed
    clock.now += 10_001
    assert counts.acquire("a", FREE).allowed


def test_the_answer_names_the_window_that_holds_longest(make: Callable[..., Counts], clock: Clock) -> None:
    counts = make()
    while clock.now < 50_000_000 + 600_000:
        standing = counts.acquire("a", FREE)
        clock.now += 5_000
    assert (standing.allowed, standing.window) == (False, Window(100, policies.HOUR))
    clock.now += standing.wait - 5_000
    assert counts.acquire("a", FREE).allowed


def test_callers_and_lengths_of_windows_are_counted_apart(make: Callable[..., Counts]) -> None:
    counts = make()
    once = policies.per_minute("once", 1)
    assert counts.acquire("a", once).allowed
    assert not counts.acquire("a", once).allowed
    assert counts.acquire("b", once).allowed
    assert counts.acquire("a", FREE).allowed


def test_a_caller_whose_limit_is_lowered_has_used_what_he_used(make: Callable[..., Counts]) -> None:
    counts = make()
    for _ in range(30):
        counts.acquire("a", policies.tier("pro", 100, 200, 1000, 10_000))
    standing = counts.acquire("a", FREE)
    assert (standing.allowed, standing.window.limit) == (False, 20)


def test_testing_counts_nothing_and_what_is_withdrawn_does_not_count(make: Callable[..., Counts]) -> None:
    counts, twice = make(), policies.per_minute("twice", 2)
    counts.withdraw("a", twice)
    assert [counts.test("a", twice).remaining for _ in range(3)] == [2] * 3
    for _ in range(50):
        assert counts.acquire("a", twice).allowed
        counts.withdraw("a", twice)
    assert [counts.acquire("a", twice).allowed for _ in range(3)] == [True, True, False]
    assert not counts.test("a", twice).allowed


def test_memory_is_bounded_and_those_who_called_least_are_forgotten(make: Callable[..., Counts]) -> None:
    counts = make(least=4096, most=16_384)
    for _ in range(20):
        counts.acquire("busy", FREE)
    for number in range(2_000):
        counts.acquire(f"passing {number}", FREE)
    assert counts.size == 16_384
    assert not counts.acquire("busy", FREE).allowed


def test_counts_outlive_processes_and_are_shared(make: Callable[..., Counts]) -> None:
    first = make()
    for _ in range(15):
        first.acquire("a", FREE)
    first.close()
    second, third = make(), make()
    allowed = [one.acquire("a", FREE).allowed for one in (second, third) * 5]
    assert allowed == [True] * 5 + [False] * 5


def test_a_file_that_somebody_removed_is_made_again(
    make: Callable[..., Counts], clock: Clock, file: Path
) -> None:
    first, second = make(), make()
    first.acquire("a", policies.per_minute("once", 1))
    shutil.rmtree(file.parent)
    clock.now += 1_000
    assert first.acquire("a", policies.per_minute("once", 1)).allowed
    assert not second.acquire("a", policies.per_minute("once", 1)).allowed


def test_a_process_that_died_while_it_replaced_the_file_leaves_that_to_the_next(
    make: Callable[..., Counts], file: Path
) -> None:
    once = policies.per_minute("once", 1)
    first = make()
    first.acquire("a", once)
    half_done = memory.found(file)
    assert half_done is not None
    half_done.words[memory.RETIRED] = 1
    half_done.close()
    assert not first.acquire("a", once).allowed
    assert not make().acquire("a", once).allowed
    assert first.acquire("b", once).allowed


def test_what_is_no_file_of_ours_is_replaced(make: Callable[..., Counts], file: Path) -> None:
    file.write_bytes(b"something else" * 100)
    assert make().acquire("a", FREE).allowed


def test_a_restart_of_the_machine_forgets(make: Callable[..., Counts], clock: Clock) -> None:
    once = policies.per_minute("once", 1)
    make().acquire("a", once)
    clock.now = 1_000
    counts = make()
    assert counts.acquire("a", once).allowed
    assert not counts.acquire("a", once).allowed


# Counts calls until there is no room, and writes a mark for each that was allowed.
GREEDY = """
import os, sys
from pathlib import Path
from hefesto_api.adapters.limits.counts import Counts
from hefesto_api.domain.limits import Policy, Window

counts, policy = Counts(Path(sys.argv[1])), Policy("x", (Window(int(sys.argv[2]), 3600),))
for _ in range(int(sys.argv[3])):
    os.fork()
while counts.acquire("a", policy).allowed:
    os.write(1, b"+")
"""


def greedy(file: Path, limit: int, forks: int = 0) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", GREEDY, str(file), str(limit), str(forks)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT)


def test_processes_that_were_forked_with_the_file_open_count_exactly(file: Path) -> None:
    assert len(greedy(file, 3_000, forks=2).communicate()[0]) == 3_000


def test_processes_that_are_killed_leave_exact_counts(file: Path) -> None:
    limit, kills, allowed = 12_000, 4, 0
    steady = greedy(file, limit)
    for _ in range(kills):
        with greedy(file, limit) as victim:
            assert victim.stdout is not None
            allowed += len(victim.stdout.read(500))
            victim.kill()
            allowed += len(victim.stdout.read())
    allowed += len(steady.communicate()[0])
    assert limit - kills <= allowed <= limit  # one that is killed may not have told of its last call


def test_threads_count_exactly(make: Callable[..., Counts]) -> None:
    counts, policy = make(), policies.per_minute("x", 300)
    allowed: list[bool] = []

    def ask() -> None:
        allowed.extend(counts.acquire("a", policy).allowed for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 300


def test_other_users_of_the_library_may_use_the_storage(clock: Clock, file: Path) -> None:
    storage = HostStorage(f"hefesto+host://{file}", now=clock)
    app = flask.Flask("other")
    calls = FlaskLimiter(
        lambda: "a",
        app=app,
        storage_uri=f"hefesto+host://{file}",
        strategy=windows.NAME,
        default_limits=["3 per minute"],
        storage_options={"now": clock},  # type: ignore[dict-item] # it is handed on as it is
    )
    app.get("/")(lambda: "done")
    assert [app.test_client().get("/").status_code for _ in range(5)] == [200] * 3 + [429] * 2
    assert storage.check()
    storage.reset()
    assert app.test_client().get("/").status_code == 200
    assert storage.get_moving_window("LIMITER/a//3/1/minute", 3, 60)[1] == 0
    with pytest.raises(NotImplementedError):
        storage.incr("a", 60)
    for one in (storage, calls.storage):
        assert isinstance(one, HostStorage)
        one.close()


def test_a_storage_that_weighs_one_window_at_a_time_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="MemoryStorage"):
        windows.SlidingWindows(MemoryStorage())


def settings_for(folder: Path, **environ: str) -> all_settings.Settings:
    return all_settings.load({"HEFESTO_RATE_LIMIT_FOLDER": str(folder), **environ}, folder)


def open_for(settings: all_settings.Settings) -> HostStorage:
    """Open what counts calls as the settings say."""
    address = limits.address(settings)
    opened = storage_from_string(address.uri, **address.options)
    assert isinstance(opened, HostStorage)
    return opened


def test_the_folder_is_private_and_what_is_stale_is_removed(tmp_path: Path) -> None:
    opened = open_for(settings_for(tmp_path))
    opened.acquire("a", FREE)
    (ours,) = tmp_path.glob("hefesto-limits-*")
    assert ours.stat().st_mode & 0o777 == 0o700
    prefix = ours.name[: ours.name.rindex("-") + 1]
    for name in ("stale", "recent", "used"):
        (tmp_path / f"{prefix}{name}").mkdir()
        Counts(tmp_path / f"{prefix}{name}" / place.FILE).close()
    user = Counts(tmp_path / f"{prefix}used" / place.FILE)
    for name in ("stale", "used"):
        os.utime(tmp_path / f"{prefix}{name}" / place.FILE, (0, 0))
    other = open_for(settings_for(tmp_path, HEFESTO_DATABASE_URL="sqlite:///other.db"))
    left = {folder.name.removeprefix(prefix) for folder in tmp_path.glob(f"{prefix}*")}
    assert {"recent", "used"} < left
    assert "stale" not in left
    for one in (opened, other, user):
        one.close()


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    place.file_for(settings).parent.chmod(0o777)
    with pytest.raises(OSError, match="alone"):
        place.file_for(settings)
    opened = open_for(settings)  # counts by process instead
    assert [opened.acquire("a", policies.per_minute("x", 2)).allowed for _ in range(3)] == [True, True, False]
    opened.close()


@pytest.mark.parametrize("url", ["redis://host:port/0", "redis://host/0?socket_timeout=soon"])
def test_an_address_that_is_none_is_refused_at_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="HEFESTO_REDIS_URL"):
        open_for(settings_for(tmp_path, HEFESTO_REDIS_URL=url))


@pytest.mark.redis
def test_a_redis_that_is_not_there_yet_is_no_reason_not_to_start(tmp_path: Path) -> None:
    opened = open_for(settings_for(tmp_path, HEFESTO_REDIS_URL=f"unix://{tmp_path}/nobody"))
    assert [opened.acquire("a", policies.per_minute("x", 2)).allowed for _ in range(3)] == [True, True, False]
    opened.close()


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis for one test alone, which it may kill."""
    with Redis(tmp_path_factory.mktemp("r")) as server:
        yield server


@pytest.fixture
def together(tmp_path: Path, redis: Redis) -> Iterator[SharedStorage]:
    """What counts in that Redis, and on this host."""
    opened = open_for(settings_for(tmp_path, HEFESTO_REDIS_URL=redis.url))
    assert isinstance(opened, SharedStorage)
    yield opened
    opened.close()


PATIENT = "&socket_timeout=30"  # however busy the machine is that runs the tests


@pytest.mark.redis
def test_hosts_share_what_redis_counts(tmp_path: Path, redis: Redis) -> None:
    hosts, url = [], redis.url + PATIENT
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        hosts.append(open_for(settings_for(tmp_path / name, HEFESTO_REDIS_URL=url)))
    allowed = [host.acquire("a", FREE).allowed for host in hosts * 15]
    assert allowed == [True] * 20 + [False] * 10
    redis.kill()  # each host goes on with what it has let through itself
    alone = [sum(host.acquire("a", FREE).allowed for _ in range(15)) for host in hosts]
    assert alone == [10, 10]
    for host in hosts:
        host.close()


@pytest.mark.redis
def test_a_redis_that_dies_and_comes_back_empty_gives_nobody_more(
    together: SharedStorage, redis: Redis
) -> None:
    policy, allowed = policies.per_minute("x", 60), 0
    for _ in range(3):
        allowed += sum(together.acquire("a", policy).allowed for _ in range(15))
        redis.kill()
        allowed += sum(together.acquire("a", policy).allowed for _ in range(15))
        redis.start()
        until_it_counts(together, redis)
    assert allowed == 60


def until_it_counts(together: SharedStorage, redis: Redis) -> None:
    """Ask until what is asked is in Redis again."""
    looking = RedisWindows(f"hefesto+{redis.url}{PATIENT}")
    seen = policies.per_minute("y", 1_000_000)
    while not [key for key in looking.storage.keys() if looking.storage.strlen(key) > 24]:  # noqa: SIM118 - no dict
        together.acquire("another", seen)
    looking.close()


@pytest.mark.redis
@pytest.mark.parametrize("trouble", ["hangs", "is full", "forgets the script"])
def test_a_redis_that_fails_otherwise_is_no_failure_of_ours(
    together: SharedStorage, redis: Redis, trouble: str
) -> None:
    policy = policies.per_minute("x", 10)
    assert together.acquire("a", policy).allowed
    looking = RedisWindows(f"hefesto+{redis.url}{PATIENT}")
    if trouble == "hangs":
        redis.signal(signal.SIGSTOP)
    elif trouble == "is full":
        looking.storage.config_set("maxmemory", "1")
    else:
        looking.storage.script_flush()
    assert [together.acquire("a", policy).allowed for _ in range(12)] == [True] * 9 + [False] * 3
    redis.signal(signal.SIGCONT)
    looking.close()
