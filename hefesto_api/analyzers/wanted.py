"""Which files are worth reading: a language with a grammar, or a text in which secrets are left behind."""

from hefesto_api.analyzers import structure

_TEXTS = frozenset(
    {"cfg", "conf", "config", "env", "ini", "json", "properties", "sh", "bash", "tf", "tfvars", "toml"}
    | {"xml", "yaml", "yml", "pem", "key", "sql", "rb", "php", "cs", "rs", "kt"}
)
_NAMES = frozenset({"dockerfile", "makefile", "procfile", ".env", ".npmrc", ".pypirc", ".netrc"})
_GENERATED = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "composer.lock", "go.sum"}
)


def is_wanted(path: str) -> bool:
    """Tell whether a path names a file that some check looks at."""
    if structure.language_of(path) is not None:
        return True
    name = path.rpartition("/")[2].lower()
    if name in _GENERATED:
        return False
    return name in _NAMES or name.startswith(".env.") or name.rpartition(".")[2] in _TEXTS
