"""Trees that bite: links out, things that are no files, names that are no text, traps for tools.

`build` makes all of it; a tree analysed end to end must give up `SECRET` nowhere, create no `canary`, and
report every file of `good`.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from msgspec import Struct

SECRET = "TOP-SECRET-c0ffee"
DEEP_LEVELS, DEEP_NAME = 120, "d" * 60  # 7,320 bytes of path: over PATH_MAX, and deeper than a walk goes

# Names that a terminal, a shell, a browser, a spreadsheet or a careless join would trip over.
ODD_NAMES = (
    *(
        "esc\x1b[31m.py",
        "new\nline.py",
        "rtl\u202eyp.py",
        "carriage\rreturn.py",
        "bell\a.py",
        "tab\t.py",
        "c1\x9b.py",
    ),
    *(
        "back\\slash.py",
        " space .py",
        "-rf.py",
        "--config=x.py",
        "quote'\".py",
        "; touch canary .py",
        "$(id).py",
    ),
    *(
        "`id`.py",
        "%s%n%x.py",
        "{0.__class__}.py",
        "<img src=x onerror=alert(1)>.py",
        "=cmd|'calc'!A1.py",
        "@x.py",
    ),
    *(
        "caf\u00e9.py",
        "cafe\u0301.py",
        "\u4e2d\u6587.py",
        "\U0001f600.py",
        "zero\u200bwidth.py",
        "...py",
        "~.py",
        "#.py",
    ),
)
UNDECODABLE = b"latin\xe9.py"

# Hostile text: deep nesting, long lines, encodings, what is no Python at all.
ODD_CONTENTS = {
    "empty.py": b"",
    "bom.py": b"\xef\xbb\xbfa = 1\n",
    "utf16.py": "a = 1\n".encode("utf-16-le").replace(b"\0", b"\x01"),
    "latin.py": b"# -*- coding: latin-1 -*-\na = '\xe9'\n",
    "not_utf8.py": b"a = '\xff\xfe\xed\xa0\x80'\n",
    "parentheses.py": b"a = " + b"(" * 20_000 + b")" * 20_000 + b"\n",
    "brackets.py": b"[" * 50_000,
    "operators.py": b"a = " + b"-" * 50_000 + b"1\n",
    "attributes.py": b"a" + b".a" * 50_000 + b"\n",
    "indented.py": b"".join(b" " * level + b"if a:\n" for level in range(500)) + b" " * 500 + b"pass\n",
    "long_line.py": b"a = '" + b"x" * 1_500_000 + b"'\n",
    "no_newlines.py": b"a=1;" * 100_000,
    "unclosed.py": b'"""' + b"x\n" * 10_000,
    "separators.py": "a = 1\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b = 2\r\rc = 3\r\n".encode(),
    "bidi.py": "# \u202e } if admin: \u2066 begin\n".encode(),
}


class HostileTree(Struct, frozen=True):
    """Where the tree is, and what must hold of it. `good` are paths that must be found and readable."""

    root: Path
    outside: Path
    canary: Path
    good: tuple[str, ...]
    skipped: dict[str, str]


def build(folder: Path) -> HostileTree:
    """Make a tree with everything in it, and a secret beside it."""
    root, outside, canary = folder / "tree", folder / "outside", folder / "canary"
    (root / "pkg").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.py").write_text(f'SECRET = "{SECRET}"\n')
    (root / "good.py").write_text("def good(x):\n    return eval(x)\n")
    (root / "pkg" / "mod.py").write_text("a = 1\n")
    skipped = {**links(root, outside), **specials(root), **oversized(root), **deep(root), **undecodable(root)}
    names = (*odd_names(root), *odd_contents(root), *tool_traps(root, canary))
    git_trap(root, canary)
    return HostileTree(root, outside, canary, ("good.py", "pkg/mod.py", *names), skipped)


def links(root: Path, outside: Path) -> dict[str, str]:
    """Links to files, directories, themselves, each other and nothing."""
    folder = root / "links"
    folder.mkdir()
    targets = {
        "passwd.py": "/etc/passwd",
        "secret.py": str(outside / "secret.py"),
        "relative.py": "../../outside/secret.py",
        "inside.py": "../good.py",
        "dangling.py": "nothing.py",
        "itself.py": "itself.py",
        "ping.py": "pong.py",
        "pong.py": "ping.py",
        "stdin.py": "/proc/self/fd/0",
        "environment.py": "/proc/self/environ",
        "outside": str(outside),
        "here": ".",
        "up": "..",
        "root": "/",
    }
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    return {f"links/{name}": "symlink" for name in targets}


def specials(root: Path) -> dict[str, str]:
    """A FIFO, a socket and, where we may make them, devices: opening one may wait for ever."""
    folder = root / "specials"
    folder.mkdir()
    os.mkfifo(folder / "fifo.py")
    bind_socket(folder, "socket.py")
    made = {"specials/fifo.py": "fifo", "specials/socket.py": "socket"}
    for name, kind, device in (("zero.py", stat.S_IFCHR, (1, 5)), ("loop.py", stat.S_IFBLK, (7, 0))):
        try:
            os.mknod(folder / name, kind | 0o600, os.makedev(*device))
        except PermissionError:
            continue
        made[f"specials/{name}"] = "device"
    return made


def bind_socket(folder: Path, name: str) -> None:
    """Leave a socket in a folder whose path may be too long for an address."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
    finally:
        os.chdir(before)


def oversized(root: Path) -> dict[str, str]:
    """A file with a terabyte of nothing, which takes no space."""
    with (root / "sparse.py").open("wb") as file:
        file.truncate(1 << 40)
    return {"sparse.py": "too_large"}


def deep(root: Path) -> dict[str, str]:
    """Directories within directories, past the longest path there is; made from inside."""
    (root / "deep").mkdir()
    current = os.open(root / "deep", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(DEEP_LEVELS):
        os.mkdir(DEEP_NAME, dir_fd=current)
        below = os.open(DEEP_NAME, os.O_RDONLY | os.O_DIRECTORY, dir_fd=current)
        os.close(current)
        current = below
        os.close(os.open("leaf.py", os.O_WRONLY | os.O_CREAT, dir_fd=current))
    os.close(current)
    return {"/".join(["deep", *[DEEP_NAME] * 100]): "depth"}


def undecodable(root: Path) -> dict[str, str]:
    """A file and a directory whose names are no UTF-8."""
    folder = root / "bytes"
    folder.mkdir()
    (folder / os.fsdecode(UNDECODABLE)).write_text("a = 1\n")
    (folder / os.fsdecode(b"dir\xff")).mkdir()
    (folder / os.fsdecode(b"dir\xff") / "a.py").write_text("a = 1\n")
    return {"bytes/latin\\xe9.py": "undecodable_name", "bytes/dir\\xff": "undecodable_name"}


def odd_names(root: Path) -> list[str]:
    """Files whose names mean something to somebody."""
    (root / "names").mkdir()
    for name in ODD_NAMES:
        (root / "names" / name).write_text("a = 1\n")
    return [f"names/{name}" for name in ODD_NAMES]


def odd_contents(root: Path) -> list[str]:
    """Files whose text is meant for the parser."""
    (root / "contents").mkdir()
    for name, content in ODD_CONTENTS.items():
        (root / "contents" / name).write_bytes(content)
    return [f"contents/{name}" for name in ODD_CONTENTS]


def tool_traps(root: Path, canary: Path) -> list[str]:
    """Configuration and modules that a tool would load from the folder it looks at."""
    snare = f"open({str(canary)!r}, 'w').close()\n"
    modules = [
        "sitecustomize",
        "usercustomize",
        "conftest",
        "setup",
        "json",
        "re",
        "ast",
        "typing",
        "encodings",
    ]
    modules += ["tree_sitter", "msgspec", "ruff", "pylint_trap", "flake8_trap", "mypy_trap", "hefesto_api"]
    for name in modules:
        (root / f"{name}.py").write_text(snare)
    configuration = {
        "pyproject.toml": "[tool.ruff]\nexclude = ['*']\n[tool.pylint]\nload-plugins = ['pylint_trap']\n",
        "ruff.toml": "exclude = ['*']\nextend = '/etc/passwd'\n",
        "setup.cfg": "[flake8:local-plugins]\nextension = X = flake8_trap:P\n[mypy]\nplugins = mypy_trap\n",
        ".pylintrc": f"[MAIN]\ninit-hook={snare}load-plugins=pylint_trap\n",
        ".flake8": "[flake8:local-plugins]\nextension = X = flake8_trap:Plugin\n",
        "mypy.ini": "[mypy]\nplugins = mypy_trap.py\n",
        "tox.ini": f"[testenv]\ncommands = touch {canary}\n",
        "trap.pth": f"import os; {snare}",
        ".env": f"HEFESTO_ROOTS=/\nHEFESTO_DATABASE_URL=sqlite:///{canary}\nPYTHONSTARTUP=setup.py\n",
        "package.json": f'{{"scripts": {{"preinstall": "touch {canary}"}}}}\n',
    }
    for name, text in configuration.items():
        (root / name).write_text(text)
    return [f"{name}.py" for name in modules]


def git_trap(root: Path, canary: Path) -> None:
    """A repository whose configuration, attributes and hooks run something for whoever asks git."""
    command = f"touch {canary}"
    (root / ".git" / "hooks").mkdir(parents=True)
    (root / ".git" / "objects").mkdir()
    (root / ".git" / "refs").mkdir()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    keys = ("fsmonitor", "sshCommand", "pager", "editor", "askPass", "gitProxy", "alternateRefsCommand")
    settings = "".join(f"\t{key} = {command}\n" for key in keys)
    drivers = f'[filter "x"]\n\tclean = {command}\n\tsmudge = {command}\n[diff "x"]\n\ttextconv = {command}\n'
    (root / ".git" / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n{settings}{drivers}")
    (root / ".gitattributes").write_text("* filter=x diff=x\n")
    for hook in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (root / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\n{command}\n")
        (root / ".git" / "hooks" / hook).chmod(0o755)


def many(root: Path, count: int, folders: int = 100) -> None:
    """Make many small files, spread over folders."""
    for folder in range(folders):
        (root / f"f{folder:03}").mkdir(parents=True)
        descriptor = os.open(root / f"f{folder:03}", os.O_RDONLY | os.O_DIRECTORY)
        for number in range(count // folders):
            os.close(os.open(f"m{number}.py", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor))
        os.close(descriptor)
