"""The answer in plain words: what probably went wrong, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import message

if TYPE_CHECKING:
    from hefesto_api.domain.correlation.candidates import Scene
    from hefesto_api.domain.correlation.model import CommitSuspect, FindingMatch, Suspect

SURE: Final = 0.5
LIKELY: Final = 0.2
LONGEST: Final = 160

WHAT: Final = {
    message.NONE: "works with a value that is not there",
    message.ATTRIBUTE: "uses something that is not of the type it takes it for",
    message.ARGUMENTS: "and its callers do not agree on the arguments",
    message.TYPE: "gets a value of a type it does not expect",
    message.KEY: "asks for a key that was never put in",
    message.INDEX: "takes more elements than there are",
    message.NAME: "uses a name that has no value there",
    message.IMPORT: "imports what is not there",
    message.VALUE: "gets or makes a value that is not acceptable",
    message.ASSERTION: "finds its own assumption broken",
    message.UNIMPLEMENTED: "is reached though it is not implemented",
    message.RECURSION: "comes back to itself without an end",
    message.DATABASE: "makes a statement that the database refuses",
    message.ENCODING: "reads bytes or text in the wrong encoding or form",
    message.SYSTEM: "does not allow for a file, a connection or a machine that fails",
    message.LOOKUP: "asks for something that does not exist",
    message.OTHER: "is where the error comes from",
}
DO: Final = {
    message.NONE: "Find what can be None there, and decide where to handle it: at the source or before use.",
    message.ATTRIBUTE: "Check what type the object really has there, and which code handed it over.",
    message.ARGUMENTS: "Compare the signature with every call of it, overriding methods included.",
    message.TYPE: "Check the value's type where it enters, and convert or refuse it there.",
    message.KEY: "Look at where the mapping is filled: which input leaves the key out?",
    message.INDEX: "Test with empty and with one-element input.",
    message.NAME: "Check imports, spelling, and branches that leave the name unset.",
    message.IMPORT: "Compare what is installed where it runs with what the project asks for.",
    message.VALUE: "Reproduce it with the value from the message, and check it where it comes in.",
    message.ASSERTION: "Decide whether the assumption or the code that broke it is wrong.",
    message.UNIMPLEMENTED: "Implement the method in the subclass that was used, or do not use it there.",
    message.RECURSION: "Find the input that makes it call itself again, and the missing end.",
    message.DATABASE: "Log the statement with its parameters, and look at the code that builds it.",
    message.ENCODING: "Check the encoding at the place where the bytes come in.",
    message.SYSTEM: "Check the machine and the service first: disk, network, limits, permissions.",
    message.LOOKUP: "Check the caller: should it ask at all, and what when nothing is found?",
    message.OTHER: "Reproduce it with the input of the failing request.",
}


def root_cause(scene: Scene, suspects: tuple[Suspect, ...]) -> str | None:
    """Return one sentence on what probably went wrong; None where nobody is suspected."""
    if not suspects:
        return None
    top = suspects[0]
    how = "" if top.probability >= SURE else "probably " if top.probability >= LIKELY else "perhaps "
    told = scene.told
    if told.member and told.kind == message.ATTRIBUTE:
        owner = f" of {told.owner}" if told.owner else ""
        what = f"has to do with the attribute {told.member!r}{owner} that is not there"
    elif told.kind == message.KEY and told.keys:
        what = f"asks for the key {told.keys[0]!r}, which was never put in"
    else:
        what = WHAT[told.kind]
    return f"{top.function_name} ({top.file_path}:{top.line_number}) {how}{what}."


def actions(
    scene: Scene,
    suspects: tuple[Suspect, ...],
    findings: tuple[FindingMatch, ...],
    commits: tuple[CommitSuspect, ...],
) -> tuple[str, ...]:
    """Return what to do next, first things first."""
    if not suspects:
        return tuple(_without_suspects(scene))
    found = []
    top = suspects[0]
    found.append(f"Look at {top.function_name} in {top.file_path}, line {top.line_number}.")
    if commits and commits[0].score >= LIKELY:
        subject = commits[0].message.partition("\n")[0][:60]
        found.append(
            f"Read commit {commits[0].commit_hash[:10]} ({subject}); reverting it may stop the alert."
        )
    if findings:
        found.append(f"Deal with the finding that fits: {findings[0].match_reason}.")
    found.append(DO[scene.told.kind])
    if len(suspects) > 1 and top.probability < SURE:
        second = suspects[1]
        found.append(f"Then at {second.function_name} in {second.file_path}, line {second.line_number}.")
    return tuple(one[: LONGEST * 2] for one in found)


def _without_suspects(scene: Scene) -> list[str]:
    frames = scene.crash.frames
    unclear = next((one for one in reversed(frames) if one.candidates), None)
    if not frames:
        return [
            "Send the stack trace along: without one there is no way to the code.",
            DO[scene.told.kind],
        ]
    if unclear is not None:
        return [
            f"{unclear.file} may be any of {', '.join(unclear.candidates[:3])}: a path mapping would decide."
        ]
    return [
        f"No frame is in this project: look at what holds {frames[-1].file}, or at what calls it.",
        "If it is this project's code, add a path mapping from where it runs to where it lies here.",
    ]
