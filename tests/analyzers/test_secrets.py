"""Secrets are found by their form and their place, and never leave in the clear.

The values here are made up; each is put together from pieces, so that no scanner takes this file for a leak.
"""

import time
from collections.abc import Callable

import msgspec
import pytest
from hefesto_api.analyzers import secrets
from hefesto_api.analyzers.base import FileReport, SourceFile
from hefesto_api.analyzers.catalogue import RULES, detection
from hefesto_api.analyzers.examination import Examination, examine
from hefesto_api.analyzers.registry import Thresholds
from hefesto_api.analyzers.structure import language_of
from hefesto_api.domain.finding import Detection, Severity
from tests.analyzers.sources import parsed

BODY = "k3Xz9QvT2mWb7LdR4sYnPq8Cf5Jg6Hu1V0aBcDeFgH2iJkLmNoPqRs7tUvWx4Yz"
HEX = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"
PEM_BODY = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + BODY[:14]] * 6)
JWT = ".".join(["eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiJzdmMtNyJ9", BODY[:43]])

TOKENS = {
    "HEF-SEC-AWS-KEY": ["AKIA" + "2E0A8F3B5C6D7G4H", "ASIA" + "QWZTUVXYBCDFGHJK"],
    "HEF-SEC-GITHUB-TOKEN": [
        "ghp" + "_" + BODY[:36],
        "gho" + "_" + BODY[3:39],
        "github" + "_pat_" + BODY[:60],
    ],
    "HEF-SEC-GITLAB-TOKEN": ["glpat" + "-" + BODY[:20]],
    "HEF-SEC-SLACK-TOKEN": [
        "xoxb" + "-2048151623-4096307246-" + BODY[:24],
        "https://hooks.slack" + ".com/services/T02ABCDEF/B03GHIJKL/" + BODY[:24],
    ],
    "HEF-SEC-STRIPE-KEY": [
        "sk" + "_live_" + BODY[:24],
        "rk" + "_live_" + BODY[:24],
        "whsec" + "_" + BODY[:32],
    ],
    "HEF-SEC-GOOGLE-KEY": ["AIza" + BODY[:35], "GOCSPX" + "-" + BODY[:28]],
    "HEF-SEC-AI-KEY": [
        "sk" + "-ant-api03-" + BODY,
        "sk" + "-proj-" + BODY,
        "sk" + "-" + BODY[:20] + "T3Blbk" + "FJ" + BODY[20:40],
        "hf" + "_" + "qWeRtZuIoPaSdFgHjKlYxCvBnMqWeRtZuI",
    ],
    "HEF-SEC-REGISTRY-TOKEN": ["npm" + "_" + BODY[:36], "pypi" + "-AgEIcHlwaS5vcmc" + BODY],
    "HEF-SEC-SERVICE-TOKEN": [
        "SG" + "." + BODY[:22] + "." + BODY[:43],
        "dop" + "_v1_" + HEX,
        "shpat" + "_" + HEX[:32],
        "123456789" + ":AA" + BODY[:33],
        "AccountKey" + "=" + (BODY * 2)[:86] + "==",
    ],
    "HEF-SEC-JWT": [JWT],
}
EACH_TOKEN = [(rule_id, value) for rule_id, values in TOKENS.items() for value in values]

PLACES: dict[str, Callable[[str], tuple[str, str]]] = {
    "python": lambda value: ("shop/pay.py", f'client = Client("{value}")\n'),
    "javascript": lambda value: ("shop/pay.js", f"const client = new Client('{value}');\n"),
    "go": lambda value: ("shop/pay.go", f'package shop\n\nvar client = New("{value}")\n'),
    "java": lambda value: ("Pay.java", f'class Pay {{ Client c = new Client("{value}"); }}\n'),
    "settings": lambda value: (".env", f"VALUE={value}\n"),
    "yaml": lambda value: ("ci.yml", f"env:\n  VALUE: {value}\n"),
}


def found_in(path: str, text: str) -> list[Detection]:
    return list(secrets.SECRETS.check(parsed(text, path)))


def rules_in(path: str, text: str) -> list[str]:
    return [one.rule_id for one in found_in(path, text)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("rule_id", "value"), EACH_TOKEN)
def test_tokens_are_found_in_every_kind_of_file(rule_id: str, value: str, place: str) -> None:
    assert rules_in(*PLACES[place](value)) == [rule_id]


@pytest.mark.parametrize(("rule_id", "value"), EACH_TOKEN)
def test_no_detection_holds_the_clear_value(rule_id: str, value: str) -> None:
    (one,) = found_in("a.py", f'client = Client("{value}")\n')
    assert rule_id == one.rule_id
    written = msgspec.json.encode(one).decode()
    assert value not in written
    assert value[5:] not in written
    assert f"***[{len(value)}]" in written or value.startswith(("https", "AccountKey"))


@pytest.mark.parametrize(("rule_id", "value"), EACH_TOKEN)
def test_mask_leaves_nothing_of_a_token(rule_id: str, value: str) -> None:
    for text in (f'client = Client("{value}")', f"x: {value}\ny: 1", f"log({value[:-6]}"):
        masked = secrets.mask(text)
        assert value[-12:] not in masked, rule_id
        assert value[len(value) // 2 : len(value) // 2 + 10] not in masked
        assert secrets.mask(masked) == masked


def test_place_and_message() -> None:
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0]
    (one,) = found_in("a.py", f'# ä comment\nx = "é", "{value}"\n')
    assert (one.line, one.column) == (2, 11)
    assert one.message == "GitHub token written into the source: ghp_***[40]."
    assert one.metadata == {"kind": "GitHub token", "secret": "ghp_***[40]"}


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_count_by_any_line_end(ends: str) -> None:
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0]
    (one,) = found_in("a.py", f'\ufeff"""Doc."""{ends}{ends}x = "{value}"{ends}')
    assert (one.line, one.column) == (3, 6)


@pytest.mark.parametrize(
    "value",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "ghp" + "_" + "x" * 36,
        "sk" + "_live_" + "0" * 24,
        "AIza" + "X" * 35,
        "eyJ" + "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + BODY[:43],
        ".".join(JWT.split(".")[:2]),
        JWT[:-36],
        BODY,
        HEX,
        "not_a_ghp" + "_" + BODY[:36],
    ],
)
def test_examples_and_other_long_words_are_no_secrets(value: str) -> None:
    assert rules_in("a.py", f'client = Client("{value}")\n') == []


def test_a_made_up_looking_token_weighs_less() -> None:
    (one,) = found_in("a.py", f'x = "{"ghp" + "_"}1234567890abcdefghijKLMNOPqrstuvwxyz"\n')
    assert one.severity is Severity.MEDIUM
    assert one.confidence < RULES[one.rule_id].confidence


def pem(kind: str = "", body: str = PEM_BODY) -> str:
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----\n"


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH "])
def test_private_keys(kind: str) -> None:
    (one,) = found_in("server.key", "\n" + pem(kind))
    assert (one.rule_id, one.severity, one.line, one.end_line) == (
        "HEF-SEC-PRIVATE-KEY",
        Severity.CRITICAL,
        2,
        9,
    )
    assert PEM_BODY[4:40] not in msgspec.json.encode(one).decode()


def test_encrypted_key_weighs_less_and_a_marker_is_no_key() -> None:
    (one,) = found_in("server.key", pem("ENCRYPTED "))
    assert one.severity is Severity.MEDIUM
    assert rules_in("a.py", 'if "-----BEGIN PRIVATE KEY-----" in text:\n    load(text)\n') == []


def test_key_within_one_line() -> None:
    assert rules_in("a.json", '{"private_key": "' + pem().replace("\n", "\\n") + '"}') == [
        "HEF-SEC-PRIVATE-KEY"
    ]


def test_no_line_of_a_key_shows() -> None:
    text = f"KEY = '''\n{pem()}'''\nprint(KEY)\n"
    lines = secrets.masked_lines(parsed(text))
    assert len(lines) == len(text.splitlines())
    assert lines[-1] == "print(KEY)"
    assert not any(PEM_BODY[4:24] in line for line in lines)
    for first in range(len(text.splitlines())):
        cut = "\n".join(text.splitlines()[first : first + 3])
        assert PEM_BODY[8:40] not in secrets.mask(cut)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'password = "k3Xz9QvT2mWb7"'),
        ("a.py", 'DB_PASSWORD: str = "k3Xz9QvT2mWb7LdR4"'),
        ("a.py", 'connect(user="app", password="k3Xz9QvT2mWb7")'),
        ("a.py", 'settings["api_key"] = "k3Xz9QvT2mWb7LdR4sYn"'),
        ("a.js", "const config = { clientSecret: 'k3Xz9QvT2mWb7LdR4sYn' };"),
        ("a.ts", "const apiKey: string = 'k3Xz9QvT2mWb7LdR4sYn';"),
        ("a.go", 'package a\n\nfunc f() { token := "k3Xz9QvT2mWb7LdR4sYn" }'),
        ("A.java", 'class A { String password = "k3Xz9QvT2mWb7LdR4"; }'),
        ("a.yml", "database:\n  password: k3Xz9QvT2mWb7LdR4"),
        (".env", "SECRET_KEY=k3Xz9QvT2mWb7LdR4sYn"),
        ("a.properties", "db.password=k3Xz9QvT2mWb7LdR4"),
        ("a.py", 'SECRET_KEY = "django-in!t+dmzf97rt9s*yrsux1py_1@odvz1szr&6"'),
        ("a.py", 'headers = {"Authorization": "Bearer k3Xz9QvT2mWb7LdR4sYnPq8"}'),
    ],
)
def test_values_given_to_secret_names(path: str, text: str) -> None:
    (one,) = found_in(path, text + "\n")
    assert one.rule_id == "HEF-SEC-HARDCODED-PASSWORD"
    assert "mWb7" not in msgspec.json.encode(one).decode()
    assert "mWb7" not in secrets.mask(text)


def test_aws_secret_by_its_name() -> None:
    value = BODY[:38] + "/+"
    assert rules_in("a.py", f'aws_secret_access_key = "{value}"\n') == ["HEF-SEC-AWS-KEY"]


@pytest.mark.parametrize(
    "text",
    [
        'password = ""',
        'password = "changeme"',
        'password = "your-password-here1"',
        'password = "xxxxxxxx1"',
        'password = "${DB_PASSWORD}"',
        'password = "<password1>"',
        'password = "{{ vault_password1 }}"',
        'password = "%(password1)s"',
        'password = os.environ["DB_PASSWORD_1"]',
        'password = get_password("k3Xz9QvT2mWb7LdR4")',
        'if password == "k3Xz9QvT2mWb7LdR4":',
        'PASSWORD_FIELD = "new_password2"',
        'password2 = "confirm_again2"',
        'password = "oauth2.provider1"',
        'password = "' + "k3Xz9QvT2mWb7LdR4" * 40 + '"',
        'password_label = "Enter password 1 again"',
        'password_url = "/accounts/password/reset/2"',
        'SECRET_NAME = "k3Xz9QvT2mWb7LdR4"',
        'token = "csrfmiddlewaretoken"',
        'token_type = "urn:ietf:params:oauth:token-type:jwt2"',
        'SESSION_KEY = "_auth_user_id"',
        'api_key = "settings.API_KEY_1"',
        'secret = "DB_SECRET_2"',
        'key = "k3Xz9QvT2mWb7LdR4"',
        'tokens = "a b c d e f g h 1"',
        'password: "Bitte ein Passwort mit 8 Zeichen"',
    ],
)
def test_names_texts_and_places_to_fill_in_are_no_secrets(text: str) -> None:
    assert rules_in("a.py", text + "\n") == []


@pytest.mark.parametrize("path", ["README.md", "docs/install.rst", ".env.example"])
def test_documentation_shows_examples(path: str) -> None:
    assert rules_in(path, 'password = "k3Xz9QvT2mWb7LdR4"\n') == []
    (one,) = found_in(path, TOKENS["HEF-SEC-GITHUB-TOKEN"][0] + "\n")
    assert one.severity is Severity.MEDIUM
    assert one.metadata["context"] == "documentation"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://app:k3Xz9QvT2mWb@db.internal/shop",
        "mongodb+srv://svc:k3Xz9QvT2mWb@cluster0.mongodb.net",
        "https://deploy:k3Xz9QvT2mWb@git.internal/shop.git",
        "redis://:k3Xz9QvT2mWb@cache:6379/0",
    ],
)
def test_passwords_in_addresses(address: str) -> None:
    (one,) = found_in("a.py", f'URL = "{address}"\n')
    assert one.rule_id == "HEF-SEC-CONNECTION-STRING"
    assert one.metadata["secret"] == "***[12]"
    assert "k3Xz9QvT2mWb" not in secrets.mask(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://user:pass@host/",
        "postgres://postgres:postgres@localhost/test",
        "postgres://app:${DB_PASSWORD}@db/shop",
        "amqp://guest:guest@localhost//",
        "http://name:{password}@host",
        "https://me:s3cr3t42@example.com",
        "https://example.com:8080/a@b",
    ],
)
def test_addresses_without_a_real_password(address: str) -> None:
    assert rules_in("a.py", f'URL = "{address}"\n') == []


@pytest.mark.parametrize(
    "text", ["echo the new password: k3Xz9QvT2mWb7LdR4", "see /password=k3Xz9QvT2mWb7LdR4"]
)
def test_unquoted_values_count_on_lines_of_settings_alone(text: str) -> None:
    assert rules_in("deploy.sh", text + "\n") == []


def test_one_detection_a_place() -> None:
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0]
    assert rules_in("a.py", f'GITHUB_TOKEN = "{value}"\n') == ["HEF-SEC-GITHUB-TOKEN"]
    assert len(found_in("a.py", f'a = "{value}"\nb = "{value}"\n')) == 2


def test_weak_passwords_are_masked_though_not_reported() -> None:
    text = 'password = "hunter"'
    assert rules_in("a.py", text) == []
    assert secrets.mask(text) == 'password = "***[6]"'


@pytest.mark.parametrize(
    "text", ["", "x = 1\n", "def f(token): return token\n", "größe = 'ä'\n", "a\r\nb\r\n"]
)
def test_mask_changes_nothing_else(text: str) -> None:
    assert secrets.mask(text) == text
    source = parsed(text)
    assert secrets.masked_lines(source) is source.lines


def test_bytes_that_are_no_text() -> None:
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0].encode()
    source = parsed(b'\xff\xfe = "' + value + b'"\n\xc3\n')
    assert [one.line for one in secrets.SECRETS.check(source)] == [1]
    assert value.decode() not in "\n".join(secrets.masked_lines(source))


HOSTILE = {
    "eyJ": "eyJ" * 350_000,
    "jwt": "eyJaaaaaaaaaa." * 75_000,
    "password": "password" * 130_000,
    "assigned": 'password="' * 100_000,
    "quotes": "password='password=\"" * 50_000,
    "escapes": 'password="' + "\\" * 1_000_000,
    "spaces": "password" + " " * 1_000_000,
    "address": "://" * 350_000,
    "userinfo": "://a:" * 200_000,
    "at": "://" + "a:" * 500_000 + "@",
    "begin": "-----BEGIN RSA PRIVATE KEY-----" * 32_000,
    "digits": "123456789:AA" * 85_000,
    "slack": "hooks.slack.com/services/" * 40_000,
    "word": "a1" * 500_000,
    "words": "abcdefghijklmnopqrst1." * 45_000,
    "ghp": "ghp_" * 250_000,
    "bearer": "Bearer " * 140_000,
    "azure": "AccountKey=" * 90_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_malice_takes_a_moment(name: str) -> None:
    source = parsed(HOSTILE[name], "a.txt.yml")
    begun = time.process_time()
    list(secrets.SECRETS.check(source))
    secrets.masked_lines(source)
    assert time.process_time() - begun < 60  # what backtracks takes hours


def test_a_cut_of_malice_is_masked_in_a_moment() -> None:
    for text in HOSTILE.values():
        begun = time.process_time()
        secrets.mask(text[:20_000])
        assert time.process_time() - begun < 3


def test_a_dump_of_secrets_is_capped_and_masked_throughout() -> None:
    rows = [f'"{"ghp" + "_"}{index:06d}{BODY[:30]}",' for index in range(1000)]
    source = parsed("\n".join(["x = [", *rows, "]"]))
    assert len(list(secrets.SECRETS.check(source))) == secrets.MAX_DETECTIONS
    assert not any(BODY[:20] in line for line in secrets.masked_lines(source))


@pytest.mark.parametrize("rule_id", sorted({*TOKENS, "HEF-SEC-PRIVATE-KEY", "HEF-SEC-CONNECTION-STRING"}))
def test_bad_examples_are_found_and_good_ones_are_not(rule_id: str) -> None:
    assert rule_id in rules_in("a.py", RULES[rule_id].bad)
    assert rules_in("a.py", RULES[rule_id].good) == []


def report(text: str, path: str = "a.py", *said: Detection) -> FileReport:
    return examine(Examination(SourceFile(path, text.encode(), language_of(path)), said), Thresholds())


@pytest.mark.parametrize("path", ["a.py", "tests/test_a.py", "a.js", "README.md"])
@pytest.mark.parametrize("value", [value for _, value in EACH_TOKEN])
def test_no_finding_of_a_file_shows_its_secrets(value: str, path: str) -> None:
    """Whatever a finding is about, the lines around it are shown, and the secret may stand there."""
    text = f"<<<<<<< HEAD\nx = '{value}'\n=======\ny = 2 \x1b\n>>>>>>> topic\n"
    found = report(text, path).detections
    assert {one.rule_id for one in found} >= {"HEF-BP-MERGE-CONFLICT"} or path == "README.md"
    written = msgspec.json.encode(found).decode()
    assert value[len(value) // 2 :] not in written


def test_another_tool_that_wins_the_place_shows_nothing_either() -> None:
    said = detection("HEF-SEC-HARDCODED-PASSWORD", tool="ruff", line=1, column=12, confidence=1.0)
    (one,) = report('password = "k3Xz9QvT2mWb7LdR4"\n', "a.py", said).detections
    assert one.tool == "ruff"
    assert one.line_text == 'password = "k3Xz***[17]"'


def test_a_secret_at_the_end_of_a_long_line_is_masked_before_the_line_is_cut() -> None:
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0]
    for room in range(450, 500, 7):
        text = f"x = '{'-' * room}' + '{value}'  \x1b\n"
        for one in report(text).detections:
            assert value[8:16] not in one.line_text + one.snippet


def test_two_tools_that_guess_a_password_leave_one_finding() -> None:
    """Ours weighs a weak value less than the linter does; neither may push the other out altogether."""
    said = detection("HEF-SEC-HARDCODED-PASSWORD", tool="ruff", line=1, column=12)
    (one,) = report('password = "hunter2x9"\n', "a.py", said).detections
    assert one.severity is Severity.HIGH
    assert "hunter2x9" not in one.line_text


def test_a_recognised_token_takes_the_place_of_a_guess() -> None:
    said = detection("HEF-SEC-HARDCODED-PASSWORD", tool="ruff", line=1, column=9)
    value = TOKENS["HEF-SEC-GITHUB-TOKEN"][0]
    assert [one.rule_id for one in report(f'token = "{value}"\n', "a.py", said).detections] == [
        "HEF-SEC-GITHUB-TOKEN"
    ]
