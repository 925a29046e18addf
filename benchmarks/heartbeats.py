"""Hold the live feed open through nginx, where nothing happens, and count the heartbeats that come.

    python -m benchmarks.heartbeats [--seconds 180]

A real nginx stands before the service with three ways to the feed: the default of 60 s without a byte, a
tight one of 40 s, and one of 20 s, which must cut what heartbeats of 30 s do not hold (else the proof would
prove nothing). A WebSocket and an event stream listen on each. Ends with 1 where one breaks, or misses a
heartbeat.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.service import Service, free_port

HEARTBEAT = 30.0  # seconds, of the contract
LATE = 2.0
WAYS = {"default": None, "tight": 40, "cut": 20}  # seconds without a byte that nginx allows
CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{service};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      {timeout}
    }}
  }}
"""
UPGRADE = "  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n"


class Heard(NamedTuple):
    """When heartbeats came, in seconds since the connection stood, and when and why it ended early."""

    beats: list[float]
    ended: tuple[float, str] | None


def main() -> int:
    """Listen, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0)
    seconds = parser.parse_args().seconds
    if shutil.which("nginx") is None:
        raise SystemExit("nginx is not installed")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        service = Service(folder, folder, environ={"HEFESTO_WORKERS": "1", "HEFESTO_AUTH": "open"})
        service.start()
        ports = {name: free_port() for name in WAYS}
        proxy = behind(folder, service.port, ports)
        try:
            found = listen(ports, seconds)
        finally:
            proxy.terminate()
            proxy.wait()
            service.stop()
    return report(found, seconds)


def behind(folder: Path, service: int, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    """Start nginx before a service, with a port for each way."""
    servers = UPGRADE
    for name, limit in WAYS.items():
        timeout = "" if limit is None else f"proxy_read_timeout {limit}s;"
        servers += SERVER.format(port=ports[name], service=service, timeout=timeout)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, servers=servers))
    process = subprocess.Popen(["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)])
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports['default']}/livez", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    raise SystemExit("nginx does not answer")


def listen(ports: dict[str, int], seconds: float) -> dict[tuple[str, str], Heard]:
    """Listen in every way at once."""
    found: dict[tuple[str, str], Heard] = {}

    def note(key: tuple[str, str], port: int) -> None:
        found[key] = (websocket if key[1] == "WebSocket" else stream)(port, seconds)

    threads = [
        threading.Thread(target=note, args=((name, kind), port))
        for name, port in ports.items()
        for kind in ("WebSocket", "event stream")
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return dict(sorted(found.items()))


def websocket(port: int, seconds: float) -> Heard:
    """Listen as a WebSocket that sends no pings of its own, which would hold the connection as well."""
    beats: list[float] = []
    with connect(f"ws://127.0.0.1:{port}/api/v1/ws/dashboard", ping_interval=None) as socket:
        began = time.monotonic()
        try:
            while (left := seconds - (time.monotonic() - began)) > 0:
                try:
                    text = socket.recv(timeout=left)
                except TimeoutError:
                    break
                if '"heartbeat"' in str(text):
                    beats.append(time.monotonic() - began)
        except ConnectionClosed as error:
            return Heard(beats, (time.monotonic() - began, str(error)))
    return Heard(beats, None)


def stream(port: int, seconds: float) -> Heard:
    """Listen to Server-Sent Events."""
    beats: list[float] = []
    url = f"http://127.0.0.1:{port}/api/v1/events/stream"
    began = time.monotonic()
    with urllib.request.urlopen(url, timeout=HEARTBEAT + 15) as answer:
        while time.monotonic() - began < seconds:
            try:
                line = answer.readline()
            except OSError as error:
                return Heard(beats, (time.monotonic() - began, str(error)))
            if not line:
                return Heard(beats, (time.monotonic() - began, "the stream ended"))
            if line.startswith(b"event: heartbeat"):
                beats.append(time.monotonic() - began)
    return Heard(beats, None)


def report(found: dict[tuple[str, str], Heard], seconds: float) -> int:
    """Print what was heard; tell by 1 that something was not as it must be."""
    wrong = []
    print(f"load {os.getloadavg()[0]:.1f}; {seconds:.0f} s, a heartbeat every {HEARTBEAT:.0f} s")
    for (way, kind), heard in found.items():
        limit = WAYS[way] or 60
        times = " ".join(f"{one:.1f}" for one in heard.beats)
        end = "held" if heard.ended is None else f"ended after {heard.ended[0]:.1f} s ({heard.ended[1]})"
        print(f"nginx allows {limit} s, {kind:12}: {end}; {len(heard.beats)} heartbeats at {times} s")
        if way == "cut":
            if heard.ended is None:
                wrong.append(f"{kind}: nginx did not cut what was quiet for more than {limit} s")
            continue
        if heard.ended is not None:
            wrong.append(f"{way}, {kind}: it ended")
        due = [HEARTBEAT * at for at in range(1, int((seconds - LATE) / HEARTBEAT) + 1)]
        late = [one for one, at in zip(heard.beats, due, strict=False) if abs(one - at) > LATE]
        if len(heard.beats) < len(due) or late:
            wrong.append(f"{way}, {kind}: heartbeats were missed or late")
    print("\n".join(wrong) or "every heartbeat came in time, and nothing broke that should hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
