"""Secrets at rest: what is sealed comes back with the right key, purpose and row, and with nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters import key_file
from hefesto_api.adapters.secrets import SecretUnreadable, Vault, open_vault
from hefesto_api.domain import ids, sealed
from hefesto_api.domain.errors import ServiceUnavailable, UsageError
from hefesto_api.storage import alert_sources, projects, resealing, secret_keys
from hefesto_api.storage.alert_sources import PURPOSE
from hefesto_api.storage.sealed import columns
from hypothesis import given
from hypothesis import strategies as st
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

OLD, NEW, OTHER = (f"the {name} key that is long enough for the settings" for name in ("old", "new", "other"))
VAULT = Vault([NEW, OLD])


@given(st.binary(max_size=300), st.text(max_size=20), st.text(max_size=20))
def test_what_is_sealed_comes_back(plain: bytes, purpose: str, row: str) -> None:
    text = VAULT.encrypt(plain, purpose=purpose, row=row)
    assert sealed.is_sealed(text)
    assert text.startswith(sealed.beginning(VAULT.key_ids[0]))
    assert VAULT.decrypt(text, purpose=purpose, row=row) == plain


def test_the_same_secret_is_never_sealed_alike() -> None:
    assert len({VAULT.encrypt(b"the same", purpose="p") for _ in range(100)}) == 100


def test_another_purpose_row_or_key_reads_nothing() -> None:
    text = VAULT.encrypt(b"secret", purpose="totp", row="1")
    for vault, purpose, row in (
        (VAULT, "totp", "2"),
        (VAULT, "totp", ""),
        (VAULT, "webhook", "1"),
        (Vault([OTHER]), "totp", "1"),
    ):
        with pytest.raises(SecretUnreadable):
            vault.decrypt(text, purpose=purpose, row=row)


def test_a_changed_text_is_refused_wherever_it_was_changed() -> None:
    text = VAULT.encrypt(b"a secret of some length", purpose="p", row="r")
    for place in range(len(text)):
        swapped = "A" if text[place] != "A" else "B"
        with pytest.raises(SecretUnreadable):
            VAULT.decrypt(text[:place] + swapped + text[place + 1 :], purpose="p", row="r")
    for garbage in ("", "hv1", "hv1..", "plain", text[:-5], text + "\n", text + "é", f"hv1.{'0' * 16}.x"):
        with pytest.raises(SecretUnreadable):
            VAULT.decrypt(garbage, purpose="p", row="r")


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before = Vault([OLD]).encrypt(b"secret", purpose="p")
    assert VAULT.decrypt(before, purpose="p") == b"secret"
    after = VAULT.encrypt(b"secret", purpose="p")
    assert Vault([NEW]).decrypt(after, purpose="p") == b"secret"
    with pytest.raises(SecretUnreadable, match="not at hand"):
        Vault([OLD]).decrypt(after, purpose="p")


def test_derived_keys_differ_by_key_and_purpose() -> None:
    derived = [*VAULT.keys("audit"), *VAULT.keys("tickets")]
    assert [len(key) for key in derived] == [32] * 4
    assert len(set(derived)) == 4
    assert VAULT.key("audit") == VAULT.keys("audit")[0] == Vault([NEW]).key("audit")


def test_nothing_shows_a_key() -> None:
    assert OLD not in repr(VAULT)
    assert set(VAULT.key_ids).isdisjoint({NEW, OLD})


def settings_in(folder: Path, **environ: str) -> all_settings.Settings:
    return all_settings.load({f"HEFESTO_{name}": value for name, value in environ.items()}, folder)


def test_without_a_setting_a_key_is_made_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    text = open_vault(settings).encrypt(b"secret", purpose="p")
    path = tmp_path / "instance" / key_file.NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert open_vault(settings).decrypt(text, purpose="p") == b"secret"
    path.chmod(0o644)
    open_vault(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_is_set_later_still_reads_what_the_file_encrypted(tmp_path: Path) -> None:
    before = open_vault(settings_in(tmp_path)).encrypt(b"secret", purpose="p")
    vault = open_vault(settings_in(tmp_path, SECRET_KEY=NEW))
    assert vault.decrypt(before, purpose="p") == b"secret"
    assert vault.key_ids[0] == Vault([NEW]).key_ids[0]


_OPEN = """
import sys
from hefesto_api.adapters import key_file
print(key_file.secret_beside(sys.argv[1]))
"""


def test_of_processes_that_start_at_once_all_get_the_one_key(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _OPEN, f"sqlite:///{tmp_path}/instance/hefesto.db"]
    started = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = {process.communicate(timeout=60)[0] for process in started}
    assert len(said) == 1
    assert said == {(tmp_path / "instance" / key_file.NAME).read_text()}


@pytest.mark.parametrize(
    "content", ["short\n", "x" * 43, "no end of line, but quite long enough to be a key"]
)
def test_a_damaged_key_file_is_told_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "instance" / key_file.NAME
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(UsageError, match="damaged"):
        open_vault(settings_in(tmp_path))
    assert path.read_text() == content


@pytest.mark.parametrize("make", ["mkdir", "fifo"])
def test_what_is_no_file_is_told_with_the_remedy(tmp_path: Path, make: str) -> None:
    path = tmp_path / "instance" / key_file.NAME
    path.parent.mkdir()
    path.mkdir() if make == "mkdir" else os.mkfifo(path)
    with pytest.raises(UsageError, match="openssl rand -base64 32"):
        open_vault(settings_in(tmp_path))


def test_a_database_that_machines_share_needs_a_setting(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, DATABASE_URL="postgresql://ada@db/shop")
    with pytest.raises(UsageError, match="openssl rand -base64 32"):
        open_vault(settings)
    assert list(tmp_path.iterdir()) == []
    runtime = runtimes.build(settings)
    with pytest.raises(ServiceUnavailable, match="HEFESTO_SECRET_KEY"):
        _ = runtime.vault


@pytest.mark.parametrize("auth", ["open", "required"])
def test_a_start_that_asks_for_credentials_needs_a_key(tmp_path: Path, auth: str) -> None:
    settings = settings_in(tmp_path, DATABASE_URL="postgresql://ada@127.0.0.1:1/shop", AUTH=auth)
    runtime = runtimes.build(settings)
    if auth == "open":
        assert runtimes.examine_secrets(settings, runtime.db) is None
    else:
        with pytest.raises(UsageError, match="HEFESTO_SECRET_KEY"):
            runtimes.examine_secrets(settings, runtime.db)


def add_source(db: Database, secret: str, *, plain: bool = False) -> str:  # noqa: F811 - that fixture
    """Insert a source whose secret is this text, past the column's guard where it is not sealed."""
    with db.write() as session:
        project = projects.ensure(session, ids.new_id())
        made = alert_sources.create(
            session,
            "sentry",
            project.id,
            VAULT.encrypt(b"x", purpose="p"),
            "secret",
            source_id=ids.new_id(),
        )
        statement = sa.text("UPDATE alert_sources SET secret = :secret WHERE id = :id")
        text = secret if plain else Vault([secret]).encrypt(b"hush", purpose=PURPOSE, row=made.id)
        session.execute(statement, {"secret": text, "id": made.id})
    return made.id


def secret_of(db: Database, vault: Vault, source_id: str) -> bytes:  # noqa: F811
    with db.read() as session:
        return vault.decrypt(alert_sources.get(session, source_id).secret, purpose=PURPOSE, row=source_id)


def test_a_column_of_sealed_texts_takes_no_other(db: Database) -> None:  # noqa: F811
    with pytest.raises(Exception, match="not sealed"), db.write() as session:
        project = projects.ensure(session, "shop")
        alert_sources.create(session, "sentry", project.id, "hunter2", "secret", source_id=ids.new_id())


def test_every_sealed_column_can_be_taken_in_order() -> None:
    names = {column.name for column in columns()}
    assert {"alert_sources.secret", "kept_keys.secret", "signing_secrets.secret"} <= names
    for column in columns():
        assert column.kind.purpose
        assert column.kind.row in column.table.columns


def test_a_database_of_another_key_is_refused_with_the_remedy(db: Database) -> None:  # noqa: F811
    old, new = Vault([OLD]), Vault([NEW])
    secret_keys.admit(db, old.key_ids)
    add_source(db, OLD)
    with pytest.raises(UsageError, match="rotate-secret") as caught:
        secret_keys.admit(db, new.key_ids)
    assert old.key_ids[0] in caught.value.message
    secret_keys.admit(db, VAULT.key_ids)
    with db.read() as session:
        assert set(secret_keys.known(session)) == {*VAULT.key_ids}


def test_a_key_that_encrypted_nothing_may_be_replaced(db: Database) -> None:  # noqa: F811
    secret_keys.admit(db, Vault([OLD]).key_ids)
    secret_keys.admit(db, Vault([NEW]).key_ids)
    with db.read() as session:
        assert secret_keys.known(session) == list(Vault([NEW]).key_ids)


def test_a_kept_key_outlives_a_rotation(db: Database) -> None:  # noqa: F811
    before = secret_keys.kept(db, Vault([OLD]), "audit")
    assert len(before) == 32
    assert secret_keys.kept(db, Vault([OLD]), "audit") == before
    assert secret_keys.kept(db, Vault([OLD]), "another") != before
    resealing.run(db, VAULT)
    assert secret_keys.kept(db, Vault([NEW]), "audit") == before


def test_a_rotation_leaves_nothing_with_the_old_key(db: Database) -> None:  # noqa: F811
    secret_keys.admit(db, Vault([OLD]).key_ids)
    made = [add_source(db, OLD) for _ in range(resealing.BATCH + 5)]
    secret_keys.admit(db, VAULT.key_ids)
    steps: list[int] = []
    outcome = resealing.run(db, VAULT, steps.append)
    assert outcome.resealed == sum(steps) == len(made)
    assert (outcome.left, outcome.unreadable, outcome.retired) == ({}, {}, [VAULT.key_ids[1]])
    assert {secret_of(db, Vault([NEW]), one) for one in made} == {b"hush"}
    secret_keys.admit(db, Vault([NEW]).key_ids)
    assert resealing.run(db, VAULT).resealed == 0


def test_a_rotation_that_ends_half_way_leaves_each_secret_readable(db: Database) -> None:  # noqa: F811
    made = [add_source(db, OLD) for _ in range(resealing.BATCH * 2)]

    def killed(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resealing.run(db, VAULT, killed)
    assert resealing.to_do(db, VAULT) == resealing.BATCH
    assert {secret_of(db, VAULT, one) for one in made} == {b"hush"}
    assert resealing.run(db, VAULT).resealed == resealing.BATCH


def test_what_no_key_reads_is_counted_and_keeps_its_key(db: Database) -> None:  # noqa: F811
    add_source(db, OLD)
    damaged = add_source(db, Vault([OLD]).encrypt(b"of another row", purpose=PURPOSE), plain=True)
    foreign = add_source(db, OTHER)
    secret_keys.admit(db, [*VAULT.key_ids, *Vault([OTHER]).key_ids])
    outcome = resealing.run(db, VAULT)
    assert outcome.unreadable == {"alert_sources.secret": 2}
    assert outcome.left == {VAULT.key_ids[1]: 1, Vault([OTHER]).key_ids[0]: 1}
    assert VAULT.key_ids[1] not in outcome.retired
    with db.read() as session:
        kept = {one: alert_sources.get(session, one).secret for one in (damaged, foreign)}
    assert all(sealed.is_sealed(text) for text in kept.values())


def test_a_secret_that_changes_meanwhile_is_left_to_who_changed_it(db: Database) -> None:  # noqa: F811
    source = add_source(db, OLD)
    fresh = VAULT.encrypt(b"changed meanwhile", purpose=PURPOSE, row=source)

    class Slow(Vault):
        """A vault that somebody overtakes."""

        def decrypt(self, text: str, *, purpose: str, row: str = "") -> bytes:
            with db.write() as session:
                alert_sources.change(session, source, secret=fresh)
            return super().decrypt(text, purpose=purpose, row=row)

    resealing.run(db, Slow([NEW, OLD]))
    assert secret_of(db, VAULT, source) == b"changed meanwhile"


def test_secrets_of_earlier_versions_are_sealed_and_gone_from_the_file(db: Database) -> None:  # noqa: F811
    made = [add_source(db, f"a plain secret, number {number}", plain=True) for number in range(130)]
    assert resealing.seal_plain(db, Vault([OLD])) == len(made)
    assert resealing.seal_plain(db, Vault([OLD])) == 0
    assert secret_of(db, VAULT, made[7]) == b"a plain secret, number 7"
    if db.is_sqlite:
        db.close()
        files = Path(str(db.url.database)).parent.iterdir()
        assert b"a plain secret" not in b"".join(each.read_bytes() for each in files if each.is_file())


def test_a_lost_key_is_given_up(db: Database) -> None:  # noqa: F811
    lost = Vault([OLD])
    secret_keys.admit(db, lost.key_ids)
    before = secret_keys.kept(db, lost, "audit")
    source = add_source(db, OLD)
    with db.write() as session:
        assert secret_keys.give_up(session, lost.key_ids[0]) == {
            "alert_sources.secret": 1,
            "kept_keys.secret": 1,
        }
    secret_keys.admit(db, Vault([NEW]).key_ids)
    assert secret_keys.kept(db, Vault([NEW]), "audit") != before
    with pytest.raises(SecretUnreadable):
        secret_of(db, Vault([NEW]), source)
    secret_keys.admit(db, [*lost.key_ids, *Vault([NEW]).key_ids])  # it was found again
    assert secret_of(db, VAULT, source) == b"hush"


@pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)
def test_a_vault_opened_within_a_transaction_is_examined_and_notes_nothing(db: Database) -> None:  # noqa: F811
    add_source(db, OLD)
    with db.write():
        secret_keys.admit(db, VAULT.key_ids)
        with pytest.raises(UsageError, match="rotate-secret"):
            secret_keys.admit(db, Vault([NEW]).key_ids)
    with db.read() as session:
        assert secret_keys.known(session) == []
