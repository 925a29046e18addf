"""The settings: where they come from, what is refused, what is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hefesto_api import settings
from hefesto_api.domain.errors import UsageError


def load(folder: Path, **environ: str) -> settings.Settings:
    return settings.load(environ, folder)


def test_defaults_are_those_of_one_machine(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.host, found.port, found.max_body_mb, found.max_upload_mb) == ("127.0.0.1", 8080, 10, 256)
    assert found.roots == (tmp_path,)
    assert found.database_url == f"sqlite:///{tmp_path}/instance/hefesto.db"
    assert found.complexity_thresholds == (5, 10, 15, 20)
    assert (found.auth, found.env, found.cors_origins, found.given) == ("", "", (), frozenset())


def test_our_name_wins_over_the_platforms_and_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HEFESTO_WORKERS=3\nHEFESTO_THREADS=7\nPORT=1\n")
    found = load(tmp_path, HEFESTO_PORT="9000", PORT="9001", HEFESTO_THREADS="2")
    assert (found.port, found.threads, found.workers) == (9000, 2, 3)
    assert {"port", "threads", "workers"} == found.given


def test_the_file_is_read_without_touching_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL_SECRET", "leaked")
    (tmp_path / ".env").write_text("HEFESTO_LLM_MODEL=${SHELL_SECRET}\n")
    assert load(tmp_path).llm_model == "${SHELL_SECRET}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEFESTO_PORT", "eighty"),
        ("PORT", "70000"),
        ("HEFESTO_PORT", "٨٠"),
        ("HEFESTO_MAX_BODY_MB", "0"),
        ("HEFESTO_AUTH", "maybe"),
        ("HEFESTO_ENV", "prod"),
        ("HEFESTO_COMPLEXITY_THRESHOLDS", "20,15,10,5"),
        ("HEFESTO_COMPLEXITY_THRESHOLDS", "5,10"),
        ("HEFESTO_TRUSTED_PROXIES", "somewhere"),
        ("HEFESTO_ENFORCE_DOCSTRINGS", "perhaps"),
        ("HEFESTO_ANALYSIS_TIMEOUT", "nan"),
        ("HEFESTO_LLM_MONTHLY_BUDGET_USD", "inf"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, **{name: value})
    assert name in caught.value.message
    assert repr(value) in caught.value.message
    assert f"Set {name} to " in caught.value.message


@pytest.mark.parametrize("name", ["HEFESTO_DATABASE_URL", "REDIS_URL", "HEFESTO_LLM_URL"])
def test_a_secret_is_never_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, **{name: "gopher://me:hunter2@host"})
    assert name in caught.value.message
    assert "hunter2" not in caught.value.message
    keyed = load(
        tmp_path,
        HEFESTO_SECRET_KEY="hunter2 between many other characters",
        HEFESTO_LLM_KEY="hunter2",
        DATABASE_URL="sqlite:///hunter2",
    )
    assert "hunter2" not in repr(keyed)


@pytest.mark.parametrize("value", ["hunter2", "a" * 40, f"{'0123456789abcdef' * 2},hunter2", ","])
def test_a_key_that_can_be_guessed_is_refused_with_a_command_that_prints_a_good_one(
    tmp_path: Path, value: str
) -> None:
    with pytest.raises(UsageError, match="openssl rand -base64 32") as caught:
        load(tmp_path, HEFESTO_SECRET_KEY=value)
    assert "HEFESTO_SECRET_KEY" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_keys_for_secrets_are_listed_new_and_old_each_once(tmp_path: Path) -> None:
    new, old = "0123456789abcdefghijklmnopqrstuv", "vutsrqponmlkjihgfedcba9876543210"
    assert load(tmp_path, HEFESTO_SECRET_KEY=f"{new}, {old},{new}").secret_key == (new, old)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_has_several_names(tmp_path: Path, scheme: str) -> None:
    found = load(tmp_path, DATABASE_URL=f"{scheme}://me@host/name")
    assert found.database_url == "postgresql+psycopg://me@host/name"


def test_unknown_names_are_warned_of_with_the_nearest(tmp_path: Path) -> None:
    found = load(tmp_path, HEFESTO_WORKER="2", HEFESTO_ZZZ="1", OTHER="x")
    assert found.warnings == (
        "HEFESTO_WORKER is not a setting; did you mean HEFESTO_WORKERS?",
        "HEFESTO_ZZZ is not a setting.",
    )


def test_the_key_of_the_command_is_not_taken_for_a_mistyped_setting(tmp_path: Path) -> None:
    assert load(tmp_path, HEFESTO_API_KEY="key").warnings == ()


def test_a_service_link_of_kubernetes_is_no_port(tmp_path: Path) -> None:
    found = load(tmp_path, HEFESTO_PORT="tcp://10.0.0.7:8080")
    assert found.port == 8080
    assert "HEFESTO_PORT" in found.warnings[0]


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    assert load(tmp_path, HEFESTO_PORT=" ", HEFESTO_AUTH="").given == frozenset()


def test_development_lets_the_local_front_end_in(tmp_path: Path) -> None:
    assert "http://localhost:3000" in load(tmp_path, HEFESTO_ENV="development").cors_origins
    assert load(tmp_path, HEFESTO_ENV="staging").production


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HEFESTO_PORT=\xff\xfe\n")
    with pytest.raises(UsageError, match=r"\.env"):
        load(tmp_path)


def test_every_setting_is_documented() -> None:
    rows = settings.documentation()
    assert len(rows) == len(settings.FIELDS)
    assert all(row["name"].startswith("HEFESTO_") and row["about"] and row["values"] for row in rows)
    assert {"HEFESTO_PORT, PORT", "HEFESTO_ROOTS"} <= {row["name"] for row in rows}
