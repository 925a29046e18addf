"""From the words of another tool to ours: group, severity, confidence and weaknesses of a result."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.sarif.model import Properties, Result, RuleDescriptor

_LEVELS = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "recommendation": Severity.LOW,
    "none": Severity.LOW,
}
_SCORES = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
_PRECISIONS = {"very-high": 0.95, "high": 0.85, "medium": 0.6, "low": 0.35}
_UNSTATED = 0.6
_CWE = re.compile(r"(?<![a-z])cwe[-:_ ]?0*([1-9]\d{0,5})(?!\d)", re.IGNORECASE)
_SECURITY_TOOLS = frozenset(
    (
        *("bandit", "brakeman", "checkov", "devskim", "find-sec-bugs", "flawfinder", "gitleaks", "gosec"),
        *("kics", "njsscan", "opengrep", "semgrep", "snyk", "snykcode", "tfsec", "trivy", "trufflehog"),
        "zizmor",
    )
)
_GROUP_WORDS: tuple[tuple[Group, re.Pattern[str]], ...] = (
    (Group.SECURITY, re.compile(r"security|vulnerab|owasp|injection|secret|cwe", re.IGNORECASE)),
    (Group.COMPLEXITY, re.compile(r"complexity|\bC901\b", re.IGNORECASE)),
    (Group.BEST_PRACTICES, re.compile(r"style|convention|best.?practice|docstring|idiom", re.IGNORECASE)),
)


def severity_of(result: Result, rule: RuleDescriptor | None) -> Severity:
    """Return the severity: what the result says in our words, else its score, else its level."""
    stated = _first(result.properties, "severity", "issue_severity")
    if isinstance(stated, str) and stated.upper() in Severity.__members__:
        return Severity[stated.upper()]
    of_rule = rule.properties if rule else {}
    score = _number(result.properties.get("security-severity", of_rule.get("security-severity")))
    if score is not None and score > 0:
        return next((severity for least, severity in _SCORES if score >= least), Severity.LOW)
    configured = rule.default_configuration.level if rule and rule.default_configuration else None
    level = result.level or configured or of_rule.get("problem.severity") or "warning"
    return _LEVELS.get(str(level).lower(), Severity.MEDIUM)


def confidence_of(result: Result, rule: RuleDescriptor | None) -> float:
    """Return how sure the tool is, 0.0 to 1.0: a number it gives, else its rule's precision."""
    stated = _first(result.properties, "confidence", "issue_confidence", "precision")
    if stated is None and rule:
        stated = _first(rule.properties, "precision", "confidence")
    number = _number(stated)
    if number is not None and not isinstance(stated, bool):
        return min(max(number, 0.0), 1.0)
    return _PRECISIONS.get(str(stated).lower(), _UNSTATED)


def group_of(tool: str, result: Result, rule: RuleDescriptor | None, cwe: Sequence[int]) -> Group:
    """Return the group: stated in our words, else by weaknesses, score, tags, tool, name of the rule."""
    stated = result.properties.get("analyzer")
    if isinstance(stated, str) and stated in set(Group):
        return Group(stated)
    of_rule = rule.properties if rule else {}
    if "security-severity" in of_rule or "security-severity" in result.properties or cwe:
        return Group.SECURITY
    tags = " ".join([*_tags(of_rule), *_tags(result.properties)])
    if found := _by_words(tags):
        return found
    if tool.lower() in _SECURITY_TOOLS:
        return Group.SECURITY
    named = (result.rule_id, rule.id, rule.name) if rule else (result.rule_id,)
    return _by_words(" ".join(filter(None, named))) or Group.CODE_SMELLS


def weaknesses(result: Result, rule: RuleDescriptor | None) -> tuple[int, ...]:
    """Return the CWE numbers that the result's and the rule's tags, properties and relations name."""
    texts = [*_tags(result.properties), *_named(result.properties)]
    if rule:
        texts += [*_tags(rule.properties), *_named(rule.properties), *_relations(rule)]
    return tuple(sorted({int(number) for text in texts for number in _CWE.findall(text)}))


def _by_words(text: str) -> Group | None:
    return next((group for group, words in _GROUP_WORDS if words.search(text)), None)


def _relations(rule: RuleDescriptor) -> Iterator[str]:
    for relation in rule.relationships:
        target = relation.target
        if target and target.tool_component and (target.tool_component.name or "").upper() == "CWE":
            yield f"CWE-{(target.id or '').upper().removeprefix('CWE-')}"


def _named(properties: Properties) -> Iterator[str]:
    """Yield the texts of a `cwe` property: a number, a text, or a list of either."""
    value = properties.get("cwe", properties.get("CWE", ()))
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, int | str):
            yield f"CWE-{item}" if str(item).isdecimal() else str(item)


def _tags(properties: Properties) -> Iterable[str]:
    tags = properties.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _first(properties: Mapping[str, Any], *keys: str) -> Any:
    return next((properties[key] for key in keys if properties.get(key) is not None), None)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None
