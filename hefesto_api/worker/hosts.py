"""This host among others: what it is called, and whether a process number of it still means somebody."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def host_name() -> str:
    """Name this host so that a process number means something on it: containers share their host's name."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


def is_alive(pid: int) -> bool:
    """Tell whether a process of this host is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
