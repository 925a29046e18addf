"""The configuration as clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api import settings as all_settings
from tests.answers import data_of

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

URL = "/api/v1/config"


def test_the_defaults_are_the_contracts(client: FlaskClient) -> None:
    data = data_of(client.get(URL))
    analyzers = data["analyzers"]
    assert analyzers["complexity"]["thresholds"] == {"low": 5, "medium": 10, "high": 15, "critical": 20}
    assert (analyzers["code_smells"]["max_function_lines"], analyzers["code_smells"]["max_parameters"]) == (
        50,
        5,
    )
    assert analyzers["best_practices"]["enforce_docstrings"] is False
    assert analyzers["security"]["checks"] == sorted(set(analyzers["security"]["checks"]))
    assert all(check.startswith("HEF-") for check in analyzers["security"]["checks"])
    assert data["integrations"]["iris"]["correlation_confidence_threshold"] == 0.7
    assert data["integrations"]["llm"]["budget"]["status"] == "OK"


def test_what_is_set_shows_and_what_is_secret_does_not(make_app: Any, tmp_path: Path) -> None:
    environ = {
        "HEFESTO_COMPLEXITY_THRESHOLDS": "3,6,9,12",
        "HEFESTO_MAX_PARAMETERS": "7",
        "HEFESTO_LLM_KEY": "hunter2",
        "HEFESTO_LLM_URL": "https://me:hunter2@llm.example/v1",
        "HEFESTO_SECRET_KEY": "hunter2 between many other characters",
        "HEFESTO_REDIS_URL": "redis://:hunter2@redis.example:6379/0",
    }
    response = make_app(all_settings.load(environ, tmp_path)).test_client().get(URL)
    analyzers = data_of(response)["analyzers"]
    assert analyzers["complexity"]["thresholds"]["critical"] == 12
    assert analyzers["code_smells"]["max_parameters"] == 7
    assert "hunter2" not in response.text


def test_it_is_a_resource_like_others(client: FlaskClient) -> None:
    tag = client.get(URL).headers["ETag"]
    assert client.get(URL, headers={"If-None-Match": tag}).status_code == 304
