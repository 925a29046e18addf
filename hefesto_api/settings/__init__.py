"""What can be set: the only place that reads the environment, once, at the start.

Every setting is a field of `Settings`, whose metadata says how its text is read and what it is for; the
parsing, the warnings and the documentation all come from there.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hefesto_api.domain.errors import UsageError
from hefesto_api.settings import readers as of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "HEFESTO_"
OF_CLIENTS = frozenset({"HEFESTO_API_KEY"})  # what the command reads for itself when it calls a service
_COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
DEFAULT_DATABASE = "instance/hefesto.db"
DEVELOPMENT_ORIGINS = ("http://localhost:3000", "http://127.0.0.1:3000")


def _setting(
    default: Any, read: of.Reader, doc: str, *, plain: bool = False, secret: bool = False, shown: str = ""
) -> Any:
    """Declare one setting; `plain`: also without prefix; `shown`: a default that is computed."""
    about = {"read": read, "doc": doc, "plain": plain, "secret": secret, "shown": shown}
    return field(default=default, metadata=about, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """The settings of a process. `given`: the fields that were set; `warnings`: what to tell at start."""

    database_url: str = _setting(
        "",
        of.database_url,
        "SQLite or PostgreSQL",
        plain=True,
        secret=True,
        shown=f"sqlite:///{DEFAULT_DATABASE}",
    )
    redis_url: str = _setting(
        "", of.redis_url, "Redis for the shared cache and limits", plain=True, secret=True
    )
    broker_url: str = _setting(
        "", of.text, "Redis or RabbitMQ that tells workers of jobs, by Celery", secret=True
    )
    roots: tuple[Path, ...] = _setting(
        (), of.paths, "What may be analysed over HTTP, separated by ':'", shown="the working directory"
    )
    host: str = _setting("127.0.0.1", of.text, "Address that `hefesto serve` binds")
    port: int = _setting(8080, of.port, "Port that `hefesto serve` binds", plain=True)
    workers: int = _setting(0, of.integer(1, 512), "Worker processes", shown="one for each processor")
    threads: int = _setting(16, of.integer(1, 256), "Threads of each worker process")
    drain_seconds: float = _setting(
        0.0,
        of.number(0, 20),
        "Seconds that a server that is told to stop still answers, while /readyz says that it will not",
        shown="5 in production, else 0",
    )
    auth: str = _setting("", of.choice("open", "required"), "Who may call", shown="open on loopback only")
    secret_key: tuple[str, ...] = _setting(
        (),
        of.secret_keys,
        "Keys that encrypt secrets at rest: the first encrypts, all decrypt",
        secret=True,
        shown="the file secret.key beside an SQLite database",
    )
    env: str = _setting("", of.choice("development", "staging", "production"), "Kind of installation")
    cors_origins: tuple[str, ...] = _setting(
        (), of.words, "Origins that may call from a browser", shown="localhost:3000 in development"
    )
    allowed_hosts: tuple[str, ...] = _setting((), of.words, "Host names that the service answers to")
    trusted_proxies: tuple[str, ...] = _setting(
        (), of.proxies, "Networks of the proxies whose X-Forwarded headers count"
    )
    max_body_mb: int = _setting(10, of.integer(1, 1024), "Largest request body, after decompression")
    max_upload_mb: int = _setting(256, of.integer(1, 65536), "Largest import or archive")
    registration: str = _setting("", of.choice("open", "closed"), "Whether anybody may register")
    public_url: str = _setting(
        "", of.origin_url, "Address at which people reach the service", shown="the one that was called"
    )
    oidc_issuer: str = _setting("", of.issuer_url, "OpenID provider that people sign in with")
    oidc_name: str = _setting("", of.text, "What the provider is called", shown="its host name")
    oidc_client_id: str = _setting("", of.text, "Our name at the OpenID provider")
    oidc_client_secret: str = _setting("", of.text, "Our secret at the OpenID provider", secret=True)
    oidc_scopes: tuple[str, ...] = _setting(
        ("openid", "email", "profile"), of.words, "Scopes asked of the OpenID provider"
    )
    oidc_role: str = _setting(
        "",
        of.choice("viewer", "developer", "operator", "admin"),
        "Role of those who sign in with the provider for the first time",
        shown="viewer where anybody may register, else nobody new is let in",
    )
    oidc_role_claim: str = _setting(
        "", of.text, "Claim of the ID token that names groups or roles, with dots for claims within claims"
    )
    oidc_role_mapping: tuple[tuple[str, str], ...] = _setting(
        (), of.role_mapping, "Which value of that claim gives which role, decided at each sign-in"
    )
    oidc_trust_email: bool = _setting(
        False, of.flag, "Whether addresses count as verified where the provider does not say"
    )
    password_memory_mb: int = _setting(
        64, of.integer(1, 1024), "Memory that hashing a password takes (Argon2id); at least 19 for real users"
    )
    log_level: str = _setting("info", of.choice("debug", "info", "warning", "error"), "Least level logged")
    log_format: str = _setting("text", of.choice("text", "json"), "Form of the log lines")
    log_file: str = _setting("", of.text, "Log file, rotated at 10 MB, five kept", shown="standard error")
    cache_ttl: float = _setting(60.0, of.number(0, 86400), "Seconds that a cached answer lives")
    cache_size: int = _setting(10_000, of.integer(0, 10_000_000), "Entries of the cache in the process")
    rate_limits: str = _setting(
        "auto",
        of.choice("on", "off", "auto"),
        "Whether calls are limited; auto: unless open on loopback only",
    )
    rate_limit_free: tuple[int, ...] = _setting(
        (10, 20, 100, 1000), of.tier, "Limits of the tier free, and of callers without credentials",
        shown="10/20/100/1000",
    )  # fmt: skip
    rate_limit_pro: tuple[int, ...] = _setting(
        (100, 200, 1000, 10_000), of.tier, "Limits of the tier pro", shown="100/200/1000/10000"
    )
    rate_limit_enterprise: tuple[int, ...] = _setting(
        (1000, 2000, 10_000, 100_000),
        of.tier,
        "Limits of the tier enterprise",
        shown="1000/2000/10000/100000",
    )
    rate_limit_keys: tuple[tuple[str, tuple[int, ...]], ...] = _setting(
        (), of.tiers, "Limits of single keys, users and clients, by their ids"
    )
    rate_limit_folder: str = _setting(
        "", of.text, "Folder for the counts that processes share", shown="shared memory, else temporary"
    )
    live_connections: int = _setting(
        10_000, of.integer(1, 60_000), "Live connections that each worker process holds at most"
    )
    live_per_caller: int = _setting(
        100, of.integer(0, 60_000), "Live connections of one caller or address in each process; 0: any number"
    )
    webhook_allow_private: tuple[str, ...] = _setting(
        (), of.networks, "Private networks that outgoing webhooks may reach"
    )
    llm_url: str = _setting("", of.http_url, "Service of the language model", secret=True)
    llm_key: str = _setting("", of.text, "Key of the language model", secret=True)
    llm_model: str = _setting("", of.text, "Name of the language model")
    llm_monthly_budget_usd: float = _setting(
        0.0, of.number(0, 1e9), "What the language model may cost a month"
    )
    llm_api: str = _setting(
        "", of.choice("openai", "gemini"), "What the language model's service speaks", shown="by its host"
    )
    llm_input_price_usd: float = _setting(
        5.0, of.number(0, 1e6), "Price of a million tokens that the language model reads"
    )
    llm_output_price_usd: float = _setting(
        25.0, of.number(0, 1e6), "Price of a million tokens that the language model writes"
    )
    llm_send_code: bool = _setting(
        False, of.flag, "Whether the language model may see code, its secrets masked"
    )
    llm_seconds: float = _setting(30.0, of.number(1, 300), "Seconds that the language model may take")
    bigquery_project: str = _setting("", of.text, "BigQuery project that events stream to")
    bigquery_dataset: str = _setting("", of.text, "BigQuery dataset")
    bigquery_url: str = _setting("", of.http_url, "Another address of BigQuery", secret=True)
    bigquery_location: str = _setting(
        "", of.text, "Where the dataset is made if it is missing", shown="it must be there"
    )
    complexity_thresholds: tuple[int, int, int, int] = _setting(
        (5, 10, 15, 20), of.thresholds, "Complexity from which a function is low, medium, high, critical"
    )
    max_function_lines: int = _setting(50, of.integer(1, 100_000), "Lines that a function may have")
    max_parameters: int = _setting(5, of.integer(0, 1000), "Parameters that a function may have")
    correlation_threshold: float = _setting(
        0.7, of.number(0, 1), "Confidence from which a finding that was put aside is opened by an incident"
    )
    enforce_docstrings: bool = _setting(False, of.flag, "Whether missing docstrings are reported")
    analysis_processes: int = _setting(
        0, of.integer(1, 256), "Parser processes", shown="one for each processor, at most 8"
    )
    analysis_timeout: float = _setting(600.0, of.number(1, 86400), "Seconds that one analysis may take")
    wait_seconds: float = _setting(60.0, of.number(0, 3600), "Seconds that a request waits for its analysis")
    retain_resolved_days: int = _setting(
        0, of.integer(0, 36_500), "Days after which a resolved finding is deleted; 0 keeps them"
    )
    retain_analyses_days: int = _setting(
        0, of.integer(0, 36_500), "Days after which an analysis is deleted; 0 keeps them"
    )

    auto_resolve: str = _setting(
        "pending",
        of.choice("off", "pending", "all"),
        "Which alerts are resolved when their fix was deployed and they are quiet; `all`: acknowledged, too",
    )
    retain_audit_days: int = _setting(
        0, of.integer(0, 36_500), "Days after which an entry of the audit log is deleted; 0 keeps them"
    )

    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    otel: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # the OTEL_ variables, as they stand

    @property
    def traced(self) -> bool:
        """Whether traces are told, by the variables that OpenTelemetry has for it."""
        said = dict(self.otel)
        exporter = said.get("OTEL_TRACES_EXPORTER", "").strip().lower()
        if exporter not in {"", "otlp"} or said.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return False
        return bool(exporter) or any(said.get(name) for name in _COLLECTORS)

    @property
    def llm(self) -> bool:
        """Whether advice may be asked for: a model is named, and a budget or that it costs nothing."""
        free = self.llm_input_price_usd == self.llm_output_price_usd == 0
        return bool(self.llm_url and self.llm_model and (free or self.llm_monthly_budget_usd > 0))

    @property
    def bigquery(self) -> bool:
        """Whether findings, correlations and events stream to BigQuery."""
        return bool(self.bigquery_project and self.bigquery_dataset)

    @property
    def development(self) -> bool:
        """Whether this installation is one developer's own."""
        return self.env == "development"

    @property
    def production(self) -> bool:
        """Whether the duties of production hold; staging behaves the same."""
        return self.env in {"staging", "production"}


FIELDS = tuple(item for item in dataclasses.fields(Settings) if item.metadata)


def load(environ: Mapping[str, str], directory: Path, *, ours_only: bool = False) -> Settings:
    """Read the settings from the environment, then from `directory`/.env.

    `ours_only` leaves out names without our prefix: in a tree that is analysed, DATABASE_URL is its own
    program's. Raises UsageError that names the variable, its value (never a secret's) and the remedy.
    """
    values = {
        **_dotenv(directory / ".env"),
        **{name: value for name, value in environ.items() if value.strip()},
    }
    if ours_only:
        values = {name: value for name, value in values.items() if name.startswith(PREFIX)}
    given: dict[str, Any] = {}
    warnings = list(_unknown(values))
    for item in FIELDS:
        name = _source(item, values)
        if name is not None and _injected(item.name, values[name]):
            warnings.append(f"{name}={values[name]} looks like a platform's service link and is ignored.")
        elif name is not None:
            given[item.name] = _read(item, name, values[name])
    computed = {**_computed(directory, given), **given}
    warnings += _incomplete(given)
    otel = tuple(sorted(pair for pair in values.items() if pair[0].startswith("OTEL_")))
    return Settings(**computed, given=frozenset(given), warnings=tuple(warnings), otel=otel)


def from_process() -> Settings:
    """Read the settings of this process: its environment and its working directory."""
    return load(os.environ, Path.cwd())


def documentation() -> list[dict[str, str]]:
    """Return a row for each setting: `name`, `default`, `values`, `about`."""
    return [
        {
            "name": f"{PREFIX}{item.name.upper()}"
            + (f", {item.name.upper()}" if item.metadata["plain"] else ""),
            "default": item.metadata["shown"] or of.shown(item.default),
            "values": item.metadata["read"].values,
            "about": item.metadata["doc"],
        }
        for item in FIELDS
    ]


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - most commands find no such file

    try:
        pairs = dotenv_values(path, interpolate=False)  # interpolation would read the process's environment
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path.name} cannot be read ({error}); it must be UTF-8 text and readable."
        ) from error
    return {name: value for name, value in pairs.items() if value and value.strip()}


def _source(item: dataclasses.Field[Any], values: Mapping[str, str]) -> str | None:
    """Return the variable that sets a field: ours first, then the one that platforms set."""
    name = item.name.upper()
    candidates = (PREFIX + name, name) if item.metadata["plain"] else (PREFIX + name,)
    return next((candidate for candidate in candidates if candidate in values), None)


def _injected(field_name: str, value: str) -> bool:
    """Tell whether the port is Kubernetes' link to a service called hefesto, which nobody set."""
    return field_name == "port" and value.startswith("tcp://")


def _read(item: dataclasses.Field[Any], name: str, value: str) -> Any:
    reader: of.Reader = item.metadata["read"]
    try:
        return reader.read(value.strip())
    except ValueError as error:
        from hefesto_api.domain.veil import veiled  # noqa: PLC0415 - what is right pays for no patterns

        shown = "the value" if item.metadata["secret"] else veiled(repr(value))
        reason = f" ({error})" if str(error) and not item.metadata["secret"] else ""
        raise UsageError(
            f"{name}: {shown} is not {reader.values}{reason}. Set {name} to {reader.values}."
        ) from None


def _unknown(values: Mapping[str, str]) -> Iterator[str]:
    known = [item.name.upper() for item in FIELDS]
    for name in sorted(values.keys() - OF_CLIENTS):
        ours = name.removeprefix(PREFIX)
        if ours != name and ours not in known:
            near = difflib.get_close_matches(ours, known, n=1, cutoff=0.6)
            yield f"{name} is not a setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else ".")


def _incomplete(given: Mapping[str, Any]) -> Iterator[str]:
    """Tell of what stays off because only a part of what it needs is set."""
    for needed, what in (
        (("llm_url", "llm_model"), "advice of a language model"),
        (("bigquery_project", "bigquery_dataset"), "stream to BigQuery"),
    ):
        missing = [f"{PREFIX}{name.upper()}" for name in needed if not given.get(name)]
        if len(missing) == 1:
            yield f"{missing[0]} is not set: there is no {what}."
    if given.get("llm_url") and given.get("llm_model"):
        prices = (given.get("llm_input_price_usd"), given.get("llm_output_price_usd"))
        if not given.get("llm_monthly_budget_usd") and prices != (0, 0):
            yield f"{PREFIX}LLM_MONTHLY_BUDGET_USD is not set: there is no advice of a language model."


def _computed(directory: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that depend on the machine, the directory or another setting."""
    processors = os.cpu_count() or 1
    return {
        "database_url": f"sqlite:///{(directory / DEFAULT_DATABASE).absolute()}",
        "roots": (directory.absolute(),),
        "workers": processors,
        "analysis_processes": min(processors, 8),
        "cors_origins": DEVELOPMENT_ORIGINS if given.get("env") == "development" else (),
        "drain_seconds": 5.0 if given.get("env") in {"production", "staging"} else 0.0,
    }
