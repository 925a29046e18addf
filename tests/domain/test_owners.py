"""Who owns a path, in the syntax of GitHub and of GitLab."""

from __future__ import annotations

import pytest
from hefesto_api.domain.owners import Ownership, owned, parse, unknown


def owner(text: str, path: str, file: str = "CODEOWNERS") -> Ownership:
    return owned(parse(text, file), path, file)


@pytest.mark.parametrize(
    ("pattern", "owns", "others"),
    [
        ("*", ["a.py", "a/b.py"], []),
        ("*.js", ["a.js", "a/b.js"], ["a.ts"]),
        ("/docs/", ["docs/a", "docs/b/c"], ["docs", "x/docs/a"]),
        ("apps/", ["apps/a", "x/apps/b/c"], ["apps"]),
        ("/docs", ["docs", "docs/a"], ["x/docs"]),
        ("docs/*", ["docs/a"], ["docs/b/c", "x/docs/a"]),
        ("docs/a", ["docs/a", "docs/a/b"], ["x/docs/a"]),
        ("**/logs", ["logs/a", "b/logs", "b/logs/c/d"], ["blogs"]),
        ("a/**/b", ["a/b", "a/x/y/b/z"], ["a/x"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a"]),
        ("/a?.py", ["ab.py"], ["a.py", "abc.py"]),
        (r"a\ b.py", ["a b.py"], ["a", r"a\ b.py"]),
        (r"\#x", ["#x"], ["x"]),
        (r"\*.py", ["*.py"], ["a.py"]),
        ("/app/[slug]/", ["app/[slug]/page.tsx"], ["app/s/page.tsx"]),
    ],
)
def test_what_a_pattern_owns(pattern: str, owns: list[str], others: list[str]) -> None:
    found = [path for path in (*owns, *others) if owner(f"{pattern} @me", path).owners]
    assert found == owns


def test_the_last_rule_that_matches_decides() -> None:
    text = "# all\n* @all\n*.py @org/python ana@example.org # ours\n/old/ @none\n"
    told = owner(text, "a.py")
    assert told == Ownership(
        ("@org/python", "ana@example.org"),
        "*.py",
        3,
        "CODEOWNERS",
        "The last rule that matches is in line 3 of CODEOWNERS.",
    )
    assert owner(text, "old/a.py").owners == ("@none",)
    assert owner(text, "a.txt").owners == ("@all",)


def test_a_last_rule_without_owner_leaves_nobody() -> None:
    told = owner("* @all\n/free/\n", "free/a.py")
    assert (told.owners, told.rule, told.line) == ((), "/free/", 2)
    assert told.explanation == "The last rule that matches (CODEOWNERS, line 2) names no owner."


def test_lines_that_are_wrong_are_left_out_and_named_when_nobody_owns() -> None:
    told = owner("*.py nobody\n!a.py @me\n/ @me\n" + "x" * 5000 + "\n", "a.py")
    assert told.owners == ()
    assert told.explanation == (
        "No rule of CODEOWNERS matches. "
        "Line 1 is invalid: 'nobody' is no @user, @organisation/team or e-mail address. "
        "Line 2 is invalid: GitHub knows no negation with `!`. "
        "Line 3 is invalid: the pattern is empty. 1 more lines are invalid."
    )


SECTIONS = """\
* @all
[Docs][2] @docs
*.md
/README.md @readme
^[Extra]
docs/ @extra
[docs]
!secret.md
"""


def test_every_section_has_its_own_last_rule() -> None:
    told = owner(SECTIONS, "x/docs/a.md")
    assert told.owners == ("@all", "@docs", "@extra")
    assert (told.rule, told.line) == ("docs/", 6)
    assert "line 3 (section Docs), line 6 (section Extra, optional)" in told.explanation
    assert owner(SECTIONS, "README.md").owners == ("@all", "@readme")
    assert owner(SECTIONS, "secret.md").owners == ("@all",)


def test_gitlabs_relative_patterns_stand_at_any_depth_and_names_are_no_folders() -> None:
    text = "internal/README.md @a\n/lib @b\n"
    assert owner(text, "x/internal/README.md", ".gitlab/CODEOWNERS").owners == ("@a",)
    assert owner(text, "lib/a.py", ".gitlab/CODEOWNERS").owners == ()
    assert owner(text, "x/internal/README.md").owners == ()
    assert owner(text, "lib/a.py").owners == ("@b",)


def test_github_knows_no_sections() -> None:
    assert owner("[Docs]\n*.md @me\n", "a.md", ".github/CODEOWNERS").line == 2
    assert owner("[Docs] @docs\n", "a.md", ".github/CODEOWNERS").owners == ()


def test_hostile_files_take_no_longer_than_their_length() -> None:
    stars = "*a" * 1500 + "b"
    depths = "/".join(["**", "a"] * 400)
    text = f"{stars} @x\n{depths}/b @x\n" + "\x00 \u202e\n" + "@" * 4000 + "\n\\"
    assert owner(text, "a" * 200 + "/" + "a/" * 200 + "c").owners == ()


def test_where_it_was_looked_for_is_told() -> None:
    told = unknown(["CODEOWNERS", "docs/CODEOWNERS"], ["CODEOWNERS is a link."])
    assert told.explanation == (
        "No CODEOWNERS file was found; looked for CODEOWNERS, docs/CODEOWNERS. CODEOWNERS is a link."
    )
