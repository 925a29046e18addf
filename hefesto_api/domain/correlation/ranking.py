"""The ranking itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain.correlation.model import Evidence, Ranking, Suspect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation.model import Change, Crash, Incident, KnownFinding, Learned


def rank(
    crash: Crash,
    code: Mapping[str, FileFacts],
    *,
    findings: Sequence[KnownFinding] = (),
    changes: Sequence[Change] = (),
    incidents: Sequence[Incident] = (),
    learned: Learned | None = None,
) -> Ranking:
    """Return who may be at fault, most likely first, with what speaks for and against each."""
    found: dict[tuple[str, str], int] = {}
    for frame in reversed(crash.frames):
        if frame.project_path:
            found.setdefault((frame.project_path, frame.function or ""), frame.line or 0)
    weights = [0.3 * 0.5**at for at in range(len(found))]
    suspects = tuple(
        Suspect(path, name, line, weight, (Evidence("position in the trace", at, 0.0),))
        for at, (((path, name), line), weight) in enumerate(zip(found.items(), weights, strict=True))
    )
    return Ranking(suspects=suspects[:10], none_probability=1.0 - sum(weights[:10]))
