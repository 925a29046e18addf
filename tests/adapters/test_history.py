"""The history of a tree: what git says is what we say, and a hostile repository leads nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hefesto_api.adapters.history import NoHistory, open_history, top_level
from hefesto_api.domain.errors import AnalysisFailed, NotFound
from hypothesis import given
from hypothesis import strategies as st

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana Pérez",
    "GIT_AUTHOR_EMAIL": "ana@shop.example",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+02:00",
    "GIT_COMMITTER_NAME": "Ci",
    "GIT_COMMITTER_EMAIL": "ci@shop.example",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+02:00",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str, **files: str) -> str:
    for name, content in files.items():
        (folder / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (folder / name.replace("__", "/")).write_text(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def shop(tmp_path: Path, template: Path) -> Path:
    """A repository with two commits: `app` changes, `src/db` does not."""
    return Path(shutil.copytree(template, tmp_path / "shop"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "Open the shop", app="a = 1\n", src__db="b = 1\n")
    commit(folder, "Sell more\n\nMuch more.", app="a = 2\n")
    return folder


def test_head_is_what_is_checked_out(shop: Path) -> None:
    head = open_history(shop / "src").head()
    assert head is not None
    assert head.hash == git(shop, "rev-parse", "HEAD")
    assert (head.branch, head.author, head.email) == ("main", "Ana Pérez", "ana@shop.example")
    assert head.time == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert head.message == "Sell more\n\nMuch more."


def test_detached_head_has_no_branch(shop: Path) -> None:
    git(shop, "checkout", "-q", "--detach")
    head = open_history(shop).head()
    assert head is not None
    assert head.branch is None


def test_unborn_branch_has_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", ".")
    history = open_history(tmp_path)
    assert history.head() is None
    assert history.top_level == tmp_path
    with pytest.raises(NotFound):
        history.resolve("HEAD")


COMMITS = (
    *("HEAD", "@", "main", "refs/heads/main", "heads/main", "v1", "tags/v1", "origin/main", "nested/name"),
    *("HEAD~1", "main^", "v1~", "HEAD^0", "HEAD^{}", "v1^{commit}", "main~0"),
)


@pytest.mark.parametrize("revision", COMMITS)
def test_revisions_resolve_as_git_resolves_them(shop: Path, revision: str) -> None:
    git(shop, "tag", "-a", "v1", "-m", "one")
    git(shop, "branch", "nested/name", "HEAD~1")
    git(shop, "update-ref", "refs/remotes/origin/main", "HEAD~1")
    history = open_history(shop)
    assert history.resolve(revision) == git(shop, "rev-parse", f"{revision}^{{commit}}")
    git(shop, "pack-refs", "--all")
    git(shop, "gc", "-q")
    assert open_history(shop).resolve(revision) == git(shop, "rev-parse", f"{revision}^{{commit}}")


def test_abbreviated_and_full_hashes_resolve(shop: Path) -> None:
    full = git(shop, "rev-parse", "HEAD~1")
    history = open_history(shop)
    assert [history.resolve(name) for name in (full, full.upper(), full[:8])] == [full] * 3


def test_second_parents_are_found(shop: Path) -> None:
    git(shop, "checkout", "-q", "-b", "side", "HEAD~1")
    side = commit(shop, "Aside", other="c = 1\n")
    git(shop, "checkout", "-q", "main")
    git(shop, "merge", "-q", "--no-ff", "-m", "Together", "side")
    history = open_history(shop)
    assert history.resolve("HEAD^2") == side
    assert history.resolve("HEAD~2") == git(shop, "rev-parse", "HEAD~2")


NO_COMMITS = (
    *("", " ", "nothing", "-x", "--help", "a\0b", "../../HEAD", "refs/heads/../../config", "config", "index"),
    *(
        "HEAD:app",
        ":/Sell",
        "HEAD^{/Sell}",
        "HEAD^{tree}",
        "HEAD@{1}",
        "main@{upstream}",
        "HEAD~999",
        "HEAD^3",
    ),
    *("HEAD~99999999999999999999", "HEAD" + "^" * 300, "é" * 1000, "\ud800", "0" * 40, "f" * 64, "abc"),
    *("HEAD~5000~5000~5000", "main\n", "ma*", "$(touch canary)"),
)


@pytest.mark.parametrize("revision", NO_COMMITS)
def test_what_names_no_commit_is_not_found(shop: Path, revision: str) -> None:
    with pytest.raises(NotFound):
        open_history(shop).resolve(revision)


@given(st.text(max_size=40))
def test_no_text_is_more_than_not_found(revision: str) -> None:
    history = open_history(Path(__file__))
    try:
        assert len(history.resolve(revision)) == 40
    except NotFound as error:
        error.message.encode()


def test_the_hash_of_a_tree_or_a_blob_is_no_commit(shop: Path) -> None:
    history = open_history(shop)
    for name in ("HEAD^{tree}", "HEAD:app"):
        with pytest.raises(NotFound):
            history.resolve(git(shop, "rev-parse", name))


def test_files_of_the_past_are_there_without_a_checkout(shop: Path) -> None:
    history = open_history(shop)
    assert history.blob("HEAD~1", "app") == b"a = 1\n"
    assert history.blob("HEAD", "app") == b"a = 2\n"
    assert history.blob("HEAD", "src/db") == b"b = 1\n"
    for path in ("src", "nothing", "", "../app", "/app", "app/x", "src//db", "a\0", "\udcff"):
        assert history.blob("HEAD", path) is None


def test_tree_ids_are_what_git_lists(shop: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \x1b\n.py")
    (shop / name).write_text("c = 1\n")
    (shop / "link").symlink_to("app")
    commit(shop, "Names")
    history = open_history(shop)
    listed = history.tree_ids("HEAD")
    assert sorted(listed) == sorted(["app", "src/db", name])
    assert listed["app"] == git(shop, "rev-parse", "HEAD:app") == history.blob_id(b"a = 2\n")
    assert history.tree_ids("HEAD", "src") == {"src/db": git(shop, "rev-parse", "HEAD:src/db")}
    assert history.tree_ids("HEAD", "nothing") == {}


def test_blob_ids_are_git_s_own(shop: Path) -> None:
    content = b"x\r\n\0\xff" * 1000
    (shop / "raw").write_bytes(content)
    assert open_history(shop).blob_id(content) == git(shop, "hash-object", "--no-filters", "raw")
    assert NoHistory().blob_id(content) == open_history(shop).blob_id(content)


def test_linked_worktrees_have_their_own_head(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "-b", "elsewhere", str(tmp_path / "linked"), "HEAD~1")
    history = open_history(tmp_path / "linked")
    head = history.head()
    assert head is not None
    assert (head.branch, head.hash) == ("elsewhere", git(shop, "rev-parse", "HEAD~1"))
    assert history.top_level == tmp_path / "linked"
    assert history.resolve("main") == git(shop, "rev-parse", "main")


def test_submodules_are_their_own_repositories(shop: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", ".")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(shop), "lib")
    commit(outer, "Borrow")
    inner = open_history(outer / "lib", [outer]).head()
    assert inner is not None
    assert inner.hash == git(shop, "rev-parse", "HEAD")
    assert list(open_history(outer).tree_ids("HEAD")) == [".gitmodules"]


def test_bare_repositories_count_only_where_they_are_asked_for(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(shop), str(tmp_path / "shop.git"))
    bare = open_history(tmp_path / "shop.git")
    assert bare.top_level is None
    assert bare.blob("HEAD", "app") == b"a = 2\n"
    assert open_history(tmp_path / "shop.git" / "refs").head() is None


def test_a_shallow_clone_ends_where_it_was_cut(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{shop}", str(tmp_path / "cut"))
    history = open_history(tmp_path / "cut")
    assert history.blob("HEAD", "app") == b"a = 2\n"
    with pytest.raises(NotFound):
        history.resolve("HEAD~1")


def test_no_repository_is_no_history(tmp_path: Path) -> None:
    history = open_history(tmp_path, [tmp_path])
    assert (history.head(), history.remote_url(), history.top_level) == (None, None, None)
    assert top_level(tmp_path, [tmp_path]) is None
    for ask in (history.resolve, history.tree_ids, history.commit, lambda name: history.blob(name, "app")):
        with pytest.raises(NotFound):
            ask("HEAD")


def test_no_repository_above_the_root_is_looked_for(shop: Path) -> None:
    assert open_history(shop / "src", [shop / "src"]).head() is None
    assert top_level(shop / "src", [shop / "src"]) is None
    assert top_level(shop / "src" / "db", [shop]) == shop


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://ana:secret@git.example:8443/shop.git", "https://git.example:8443/shop.git"),
        ("https://ghp_token@git.example/shop.git?private_token=x#y", "https://git.example/shop.git"),
        ("ssh://git:secret@git.example/shop.git", "ssh://git@git.example/shop.git"),
        ("git@git.example:shop/shop.git", "git@git.example:shop/shop.git"),
        ("/srv/secret/shop.git", None),
        ("file:///srv/secret/shop.git", None),
        ("../shop.git", None),
        ("ext::sh -c touch% canary", None),
        ("http://[broken", None),
    ],
)
def test_a_remote_is_shown_without_credentials(shop: Path, url: str, public: str | None) -> None:
    git(shop, "remote", "add", "backup", "https://other.example/x.git")
    git(shop, "remote", "add", "origin", url)
    assert open_history(shop).remote_url() == public


def test_without_an_origin_the_first_remote_is_shown(shop: Path) -> None:
    git(shop, "remote", "add", "upstream", "https://one.example/x.git")
    git(shop, "remote", "add", "fork", "https://two.example/x.git")
    assert open_history(shop).remote_url() == "https://one.example/x.git"


def _git_file(shop: Path, outside: Path) -> None:
    (shop / ".git").rename(outside / "stolen")
    (shop / ".git").write_text(f"gitdir: {outside}/stolen\n")


def _git_link(shop: Path, outside: Path) -> None:
    (shop / ".git").rename(outside / "stolen")
    (shop / ".git").symlink_to(outside / "stolen")


def _alternates(shop: Path, outside: Path) -> None:
    (shop / ".git" / "objects").rename(outside / "objects")
    (shop / ".git" / "objects" / "info").mkdir(parents=True)
    (shop / ".git" / "objects" / "info" / "alternates").write_text(f"{outside}/objects\n")


def _common_dir(shop: Path, outside: Path) -> None:
    (shop / ".git" / "objects").rename(outside / "objects")
    (shop / ".git" / "commondir").write_text(str(outside))


def _linked_object_folder(shop: Path, outside: Path) -> None:
    folder = next(item for item in (shop / ".git" / "objects").iterdir() if len(item.name) == 2)
    folder.rename(outside / folder.name)
    folder.symlink_to(outside / folder.name)


@pytest.mark.parametrize("trap", [_git_file, _git_link, _alternates, _common_dir, _linked_object_folder])
def test_what_points_outside_the_roots_is_not_read(shop: Path, tmp_path: Path, trap: object) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert callable(trap)
    trap(shop, outside)
    with pytest.raises(AnalysisFailed, match="cannot be used"):
        open_history(shop, [shop]).resolve("main")


@pytest.mark.parametrize("trap", [_git_file, _git_link, _alternates, _linked_object_folder])
def test_the_command_line_may_follow_them(shop: Path, tmp_path: Path, trap: object) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    assert callable(trap)
    trap(shop, outside)
    assert open_history(shop).blob("main", "app") == b"a = 2\n"


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "refs/heads/x", "objects/info/alternates"])
def test_a_fifo_stops_nobody(shop: Path, name: str) -> None:
    (shop / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(shop / ".git" / name)
    history = open_history(shop)
    assert history.head() is None
    with pytest.raises(AnalysisFailed):
        history.resolve("HEAD")


@pytest.mark.parametrize(
    "content", [b"", b"\0\xff", b"gitdir:", b"gitdir: ", b"gitdir: \0", b"gitdir: /nothing\n"]
)
def test_a_broken_git_file_is_told_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    history = open_history(tmp_path)
    assert history.head() is None
    with pytest.raises(AnalysisFailed, match="cannot be used"):
        history.resolve("HEAD")


def test_a_broken_object_is_told_of(shop: Path) -> None:
    name = git(shop, "rev-parse", "HEAD")
    target = shop / ".git" / "objects" / name[:2] / name[2:]
    target.chmod(0o644)
    target.write_bytes(b"garbage")
    history = open_history(shop)
    for ask in (history.head, lambda: history.tree_ids("main"), lambda: history.blob("main", "app")):
        with pytest.raises(AnalysisFailed, match="damaged"):
            ask()


def test_a_repository_without_objects_is_told_of(shop: Path) -> None:
    (shop / ".git" / "objects").rename(shop / ".git" / "gone")
    with pytest.raises(AnalysisFailed, match="missing"):
        open_history(shop).resolve("HEAD")


def test_sha256_repositories_are_told_of(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", ".")
    commit(tmp_path, "Modern", app="a = 1\n")
    with pytest.raises(AnalysisFailed, match="SHA-256"):
        open_history(tmp_path).resolve("HEAD")


def test_impossible_times_and_names_are_read(shop: Path) -> None:
    tree = git(shop, "rev-parse", "HEAD^{tree}")
    raw = (
        f"tree {tree}\nauthor \udcff\x1b <x@y> 99999999999999999999 +9999\ncommitter a <b> 0 +0000\n\n\udcfe"
    )
    done = subprocess.run(
        ["git", "-C", str(shop), "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
        input=raw.encode("utf-8", "surrogateescape"),
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    read = open_history(shop).commit(done.stdout.decode().strip())
    assert read.author == "\ufffd\x1b"
    assert (read.time, read.message) == (datetime(1970, 1, 1, tzinfo=UTC), "\ufffd")


def test_a_tree_that_multiplies_itself_is_refused(shop: Path) -> None:
    inner = git(shop, "rev-parse", "HEAD^{tree}")
    for _ in range(7):
        listing = "\n".join(f"040000 tree {inner}\td{number}" for number in range(10))
        done = subprocess.run(
            ["git", "-C", str(shop), "mktree"],
            input=listing,
            env=ENVIRONMENT,
            check=True,
            capture_output=True,
            text=True,
        )
        inner = done.stdout.strip()
    bomb = git(shop, "commit-tree", "-m", "bomb", inner)
    with pytest.raises(AnalysisFailed, match="too many files"):
        open_history(shop).tree_ids(bomb)


def test_nothing_a_repository_configures_is_run(shop: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    touch = f"touch {canary}"
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "filter.x.clean",
        "filter.x.smudge",
    ):
        git(shop, "config", key, touch)
    git(shop, "config", "diff.external", touch)
    git(shop, "config", "core.worktree", "/etc")
    git(shop, "config", "include.path", "/dev/stdin")
    (shop / ".gitattributes").write_text("* filter=x diff=x\n")
    for hook in ("post-checkout", "fsmonitor-watchman", "reference-transaction"):
        (shop / ".git" / "hooks").mkdir(exist_ok=True)
        (shop / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\n{touch}\n")
        (shop / ".git" / "hooks" / hook).chmod(0o755)
    canary.unlink(missing_ok=True)
    history = open_history(shop)
    assert history.top_level == shop
    assert history.blob("HEAD", "app") == b"a = 2\n"
    assert history.tree_ids("HEAD")
    assert history.head() is not None
    assert not canary.exists()
