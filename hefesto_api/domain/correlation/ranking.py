"""Ranking: each candidate's features are weighed, and the weights become probabilities."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import commits, rules, words
from hefesto_api.domain.correlation.candidates import TRACE, Scene
from hefesto_api.domain.correlation.features import of_scene
from hefesto_api.domain.correlation.model import Evidence, Ranking, Suspect
from hefesto_api.domain.correlation.weights import NONE_OF_THESE, scale, weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation.candidates import Candidate
    from hefesto_api.domain.correlation.model import Change, Crash, Incident, KnownFinding, Learned

MOST: Final = 10
LEAST: Final = 0.002  # a smaller probability is not worth a line


def rank(
    crash: Crash,
    code: Mapping[str, FileFacts],
    *,
    findings: Sequence[KnownFinding] = (),
    changes: Sequence[Change] = (),
    incidents: Sequence[Incident] = (),
    learned: Learned | None = None,
) -> Ranking:
    """Return who may be at fault, most likely first, with what speaks for and against each.

    A log-linear model: the sum of weighted features, a softmax over the candidates and "none of these".
    The same input gives the same answer; nothing is raised whatever the crash says.
    """
    scene = Scene(crash, code)
    beside = Beside(scene, findings, changes, incidents, learned)
    weighed, sureness = [], scale(len(scene.trace))
    for candidate, features in of_scene(scene):
        features.update(beside.features(candidate))
        contributions = {name: weight(name, learned) * value for name, value in features.items()}
        weighed.append((sum(contributions.values()) * sureness, candidate, features, contributions))
    highest = max([NONE_OF_THESE, *(score for score, *_ in weighed)])
    odds = [exp(score - highest) for score, *_ in weighed]
    whole = sum(odds) + exp(NONE_OF_THESE - highest)
    order = sorted(range(len(odds)), key=lambda at: (-odds[at], weighed[at][1].place.key))
    suspects = []
    for at in order[:MOST]:
        probability = round(odds[at] / whole, 4)
        if probability < LEAST:
            break
        _, candidate, features, contributions = weighed[at]
        evidence = (*_evidence(features, contributions), *beside.against(candidate))
        place = candidate.place
        suspects.append(
            Suspect(place.path, place.function.qualified_name, candidate.line, probability, evidence)
        )
    return _answer(scene, tuple(suspects), beside)


def _answer(scene: Scene, suspects: tuple[Suspect, ...], beside: Beside) -> Ranking:
    kind, error_type = scene.told.kind, scene.crash.error_type
    matched = rules.matches(beside.findings, suspects, beside.fits, kind, error_type)
    touched = commits.suspects_of(beside.changes, suspects)
    return Ranking(
        suspects=suspects,
        findings=matched,
        commits=touched,
        none_probability=round(max(0.0, 1.0 - sum(one.probability for one in suspects)), 4),
        root_cause=words.root_cause(scene, suspects),
        related_files=tuple(dict.fromkeys(one.file_path for one in suspects)),
        actions=words.actions(scene, suspects, matched, touched),
    )


def _evidence(features: Mapping[str, float], contributions: Mapping[str, float]) -> list[Evidence]:
    """List the features, what adds or takes most first."""
    names = sorted(features, key=lambda name: (-abs(contributions[name]), name))
    return [
        Evidence(
            name, True if features[name] == 1.0 else round(features[name], 4), round(contributions[name], 4)
        )
        for name in names
        if contributions[name]
    ]


class Beside:
    """What is known beside the code: findings, changes, past incidents, by function."""

    def __init__(
        self,
        scene: Scene,
        findings: Sequence[KnownFinding],
        changes: Sequence[Change],
        incidents: Sequence[Incident],
        learned: Learned | None,
    ) -> None:
        self.findings, self.changes = findings, changes
        kind, error_type = scene.told.kind, scene.crash.error_type
        self.error_type = rules.short(error_type)
        self.fits = {one.id: rules.fit(one, kind, error_type, learned) for one in findings}
        self.fit_in: dict[tuple[str, str], float] = {}
        for one in findings:
            key = (one.path, one.function_name or "")
            self.fit_in[key] = max(self.fit_in.get(key, 0.0), self.fits[one.id])
        self.changed: dict[tuple[str, str | None], list[Change]] = {}
        for change in changes:
            self.changed.setdefault((change.path, change.function_name), []).append(change)
        self.past: dict[tuple[str, str], list[Incident]] = {}
        for incident in incidents:
            self.past.setdefault((incident.path, incident.function_name), []).append(incident)

    def features(self, candidate: Candidate) -> dict[str, float]:
        """Return what is known of a candidate beside its code."""
        found: dict[str, float] = {}
        if not (self.fit_in or self.changed or self.past):
            return found
        key = candidate.place.key
        if fits := self.fit_in.get(key):
            found["a finding whose rule fits the error"] = fits
        of_function = [one for one in self.changed.get(key, ()) if one.is_deployed is not False]
        if any(one.is_new for one in of_function):
            found["changed in what was just deployed"] = 1.0
        elif any(one.is_new and one.is_deployed is not False for one in self.changed.get((key[0], None), ())):
            found["its file changed in what was just deployed"] = 1.0
        for incident in self.past.get(key, ())[:20]:
            if incident.confirmed is False:
                found["was suspected wrongly before"] = 1.0
            elif incident.confirmed:
                same = rules.short(incident.error_type) == self.error_type
                found["was at fault before"] = max(
                    found.get("was at fault before", 0.0), 1.0 if same else 0.5
                )
        return found

    def against(self, candidate: Candidate) -> list[Evidence]:
        """Return what was seen and does not count, or speaks against."""
        found = []
        changes = self.changed.get(candidate.place.key, ())
        if any(one.is_deployed is False for one in changes):
            found.append(Evidence("changed by a commit that is not deployed", True, 0.0))
        if candidate.relation != TRACE:
            found.append(Evidence("not in the trace", True, 0.0))
        return found
