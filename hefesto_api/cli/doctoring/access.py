"""Mistakes of the settings: who may call, what seals the secrets, which proxies are believed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from hefesto_api.adapters import key_file
from hefesto_api.cli.doctoring.values import Complaint, Patient, error, warning
from hefesto_api.settings.readers import NEW_KEY
from hefesto_api.storage import admins

_SECRETS = ("SECRET", "PASSWORD", "KEY", "TOKEN", "DATABASE_URL", "REDIS_URL", "BROKER_URL")
_EVERYBODY = 16  # bits: a network with fewer is no proxy of anybody's
_EXAMPLES = (
    "changeme",
    "change-me",
    "change_me",
    "example",
    "password",
    "your-secret",
    "your_secret",
    "12345678",
)
_HASHING_MB = 19  # https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html


def names(patient: Patient) -> Iterator[Complaint]:
    """Names that are no settings: a slip of the pen, and the default holds."""
    for told in patient.settings.warnings:
        name = told.partition(" ")[0].partition("=")[0]
        yield warning(told, "What it was meant to set has its default.", f"unset {name}")


def callers(patient: Patient) -> Iterator[Complaint]:
    """Who may call."""
    settings = patient.settings
    public = not _is_loopback(settings.host)
    if settings.auth == "open" and (public or settings.production):
        yield error(
            f"HEFESTO_AUTH=open, and the service is bound to {settings.host}.",
            "Whoever reaches the address may read and change everything.",
            "export HEFESTO_AUTH=required; hefesto keys create --name first --scope admin",
        )
    if not settings.auth and public:
        yield error(
            f"{settings.host} can be reached from other machines, and HEFESTO_AUTH is not set.",
            "The service refuses to start so.",
            "export HEFESTO_AUTH=required",
        )
    if settings.auth == "required" and patient.answers:
        with patient.db.read() as session:
            governed = admins.are_there(session)
        if not governed:
            yield error(
                "Callers need credentials, and there is no admin yet.",
                "Nobody can call, and nobody can let anybody.",
                "hefesto keys create --name first --scope admin",
            )
    if settings.production and settings.password_memory_mb < _HASHING_MB:
        yield warning(
            f"HEFESTO_PASSWORD_MEMORY_MB is {settings.password_memory_mb}.",
            "Passwords that leak with a backup are guessed quickly.",
            "export HEFESTO_PASSWORD_MEMORY_MB=64",
        )


def secret_key(patient: Patient) -> Iterator[Complaint]:
    """The key that seals secrets at rest: missing, or readable by others."""
    settings = patient.settings
    beside = key_file.path_beside(settings.database_url)
    set_new = f"export HEFESTO_SECRET_KEY=$({NEW_KEY})"
    if not settings.secret_key and beside is None:
        yield error(
            "HEFESTO_SECRET_KEY is not set, and the database is no file beside which a key could be.",
            "Webhooks, sign-in and the audit log's seal need it.",
            set_new,
        )
    elif not settings.secret_key and settings.production:
        yield warning(
            f"HEFESTO_SECRET_KEY is not set; the key is in {beside}.",
            "It is copied with the database's folder: a stolen backup opens its own secrets.",
            f"export HEFESTO_SECRET_KEY=$(cat {beside}); rm {beside}",
        )
    if any(word in key.lower() for key in settings.secret_key for word in _EXAMPLES):
        yield error(
            "HEFESTO_SECRET_KEY looks like an example that somebody copied.",
            "Whoever has read the same page opens every secret in the database.",
            f"{set_new}, with the present one behind a comma; hefesto keys rotate-secret",
        )
    if beside is not None and _is_readable_by_others(beside):
        yield error(
            f"The key file {beside} can be read by other accounts.",
            "Whoever has it opens every secret in the database.",
            f"chmod 600 {beside}",
        )


def env_file(patient: Patient) -> Iterator[Complaint]:
    """A file of settings with secrets that others can read."""
    path = Path.cwd() / ".env"
    if not _is_readable_by_others(path):
        return
    lines = path.read_text("utf-8", "replace").splitlines()
    if any(word in line.partition("=")[0].upper() for line in lines for word in _SECRETS):
        yield error(
            f"{path} holds secrets and can be read by other accounts.",
            "Whoever has an account on this machine has them.",
            f"chmod 600 {path}",
        )


def proxies(patient: Patient) -> Iterator[Complaint]:
    """Proxies that are believed, or should be."""
    settings = patient.settings
    for proxy in settings.trusted_proxies:
        if proxy == "unix":
            continue
        network = ip_network(proxy, strict=False)
        if network.prefixlen < _EVERYBODY and not network.is_private:
            yield error(
                f"HEFESTO_TRUSTED_PROXIES holds {proxy}.",
                "Anybody there can say to be another address, past every limit by address.",
                "export HEFESTO_TRUSTED_PROXIES=127.0.0.1 (the address from which the proxy connects)",
            )
    if settings.production and not settings.trusted_proxies:
        yield warning(
            "HEFESTO_ENV is a production's, and HEFESTO_TRUSTED_PROXIES is not set.",
            "Behind a proxy that ends TLS every request looks like HTTP and is redirected for ever.",
            "export HEFESTO_TRUSTED_PROXIES=127.0.0.1 (the address from which the proxy connects)",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_readable_by_others(path: Path) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and bool(about.st_mode & 0o077)
