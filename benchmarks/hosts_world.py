"""Three hosts on one machine: network namespaces on a bridge, each held to a share of a core by its cgroup.

Beside them, in the machine's own namespace, PostgreSQL and Redis of the benchmark's own. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

NETWORK = "10.213.71"
GATEWAY = f"{NETWORK}.1"
PORT = 8080
PG_PORT, REDIS_PORT = 5499, 6399
PERIOD_US = 50_000
GROUPS_V1 = Path("/sys/fs/cgroup/cpu")
GROUPS_V2 = Path("/sys/fs/cgroup")
_FORGETFUL = ("--save", "", "--protected-mode", "no")
ROOT = Path(__file__).parents[1]
# What a process manager does: start the service again whenever it ended; told to stop, to stop it first.
MANAGER = (
    'hostname "$1"; trap "stop=1; kill -TERM \\$child 2>/dev/null" TERM; '
    'while [ -z "$stop" ]; do "$2" -m hefesto_api serve --host "$3" --port "$4" --workers 1 & child=$!; '
    'wait "$child"; wait "$child" 2>/dev/null; [ -z "$stop" ] && sleep 0.2; done'
)


def missing() -> str:
    """Return what is missing for three hosts on this machine; "" for nothing."""
    if os.geteuid() != 0:
        return "it needs root: network namespaces and cgroups"
    tools = ["ip", "unshare", "runuser", "redis-server"]
    absent = [name for name in tools if shutil.which(name) is None]
    if absent or _postgresql() is None:
        return f"it needs {', '.join(absent) or 'the programs of PostgreSQL'}"
    if _group_file("hefesto-probe") is None:
        return "no cgroup can be made that limits CPU time"
    return ""


class Postgres:
    """A PostgreSQL of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "pg"
        self._folder.mkdir()
        shutil.chown(self._folder, "postgres")
        self._bin = _postgresql() or Path()
        self.url = f"postgresql://postgres@{GATEWAY}:{PG_PORT}/postgres"
        self._run("initdb", "-A", "trust", "-E", "UTF8", "--locale=C")
        with (self._folder / "postgresql.conf").open("a") as conf:
            conf.write(f"listen_addresses='{GATEWAY}'\nport={PG_PORT}\nmax_connections=200\n")
            conf.write(f"unix_socket_directories='{self._folder}'\n")
        with (self._folder / "pg_hba.conf").open("a") as conf:
            conf.write(f"host all all {NETWORK}.0/24 trust\n")
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "start")

    def restart(self, mode: str) -> None:
        """Stop it (`fast`, or `immediate`: as a crash would) and start it."""
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-m", mode, "restart")

    def stop(self) -> None:
        """End it."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def _run(self, program: str, *arguments: str) -> None:
        argv = ["runuser", "-u", "postgres", "--", str(self._bin / program), "-D", str(self._folder)]
        subprocess.run([*argv, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")


class Redis:
    """A Redis of our own, which forgets everything when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"redis://{GATEWAY}:{REDIS_PORT}"
        self.start()

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            ["redis-server", "--bind", GATEWAY, "--port", str(REDIS_PORT), *_FORGETFUL],
            stdout=subprocess.DEVNULL, cwd=self._folder,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


class Host:
    """A namespace with an address, in which `hefesto serve` runs under a process manager."""

    def __init__(self, number: int, folder: Path, environ: dict[str, str], bridge: str) -> None:
        self.name = f"hef{number}"
        self.address = f"{NETWORK}.{10 + number}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self._environ = environ
        self._space = f"{bridge}-{number}"
        self._link = f"{bridge}v{number}"
        self._group = _group(self._space)
        _ip(f"netns add {self._space}")
        _ip(f"link add {self._link} type veth peer name eth0 netns {self._space}")
        _ip(f"link set {self._link} master {bridge} up")
        _ip(f"-n {self._space} addr add {self.address}/24 dev eth0")
        _ip(f"-n {self._space} link set eth0 up")
        _ip(f"-n {self._space} link set lo up")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the service and what watches over it, with a process numbering and a name of its own."""
        argv = ["ip", "netns", "exec", self._space, "unshare", "--uts", "--pid", "--fork", "--kill-child"]
        argv += ["--mount-proc", "sh", "-c", MANAGER, "manager", self.name, sys.executable, self.address]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*argv, str(PORT)], env=self._environ, cwd=self.folder, stdout=log, stderr=log,
                preexec_fn=self._enter,
            )  # fmt: skip

    def hold(self, share: float) -> None:
        """Let its processes have only so much of a core, all together."""
        _limit(self._group, share)

    def processes(self) -> dict[int, str]:
        """Return the service's processes, with what they are."""
        found = {}
        for line in (self._group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                words = Path("/proc", line, "cmdline").read_bytes().decode().split("\0")
                name = _role(words)
                if name:
                    found[int(line)] = name
        return found

    def restart(self) -> None:
        """Ask the service to end, as a process manager does before it starts it again."""
        for pid, name in self.processes().items():
            if name == "serve":
                os.kill(pid, signal.SIGTERM)

    def remove(self) -> None:
        """End everything of it."""
        if self._process is not None:
            for line in (self._group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)
            self._process.wait()
        _ip(f"netns del {self._space}")
        for _ in range(50):
            with contextlib.suppress(OSError):
                self._group.rmdir()
                return
            time.sleep(0.1)

    def _enter(self) -> None:
        (self._group / "cgroup.procs").write_text(str(os.getpid()))


@contextlib.contextmanager
def network() -> Iterator[tuple[str, Path]]:
    """Make the bridge that the hosts hang on, and a folder."""
    bridge = f"hb{os.getpid() % 100000}"
    folder = Path(tempfile.mkdtemp(prefix="hefesto-hosts-"))
    folder.chmod(0o755)
    _ip(f"link add {bridge} type bridge")
    try:
        _ip(f"addr add {GATEWAY}/24 dev {bridge}")
        _ip(f"link set {bridge} up")
        yield bridge, folder
    finally:
        _ip(f"link del {bridge}")
        shutil.rmtree(folder, ignore_errors=True)


def _role(words: list[str]) -> str:
    """Tell what a process of the service is, by its command line."""
    if "gunicorn" in words:
        return "web"
    if "hefesto_api" in words:
        return words[words.index("hefesto_api") + 1]
    return "parser" if "hefesto_api.analyzers.child" in words else ""


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True)


def _postgresql() -> Path | None:
    for folder in [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/").parent]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


def _group_file(name: str) -> Path | None:
    """Make and remove a group; return where groups are made, None where they cannot be."""
    try:
        made = _group(name)
        _limit(made, 1.0)
        made.rmdir()
    except OSError:
        return None
    return made.parent


def _group(name: str) -> Path:
    parent = GROUPS_V1 if GROUPS_V1.is_dir() else GROUPS_V2
    if parent == GROUPS_V2:
        (parent / "cgroup.subtree_control").write_text("+cpu")
    made = parent / name
    made.mkdir(exist_ok=True)
    return made


def _limit(group: Path, share: float) -> None:
    quota = int(PERIOD_US * share) if share else -1
    if group.parent == GROUPS_V1:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota))
    else:
        (group / "cpu.max").write_text(f"{quota if share else 'max'} {PERIOD_US}")
