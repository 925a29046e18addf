"""What may be read: allowed roots, walks and reads that neither links nor renames lead astray."""

from hefesto_api.analyzers.workspace.location import resolve
from hefesto_api.analyzers.workspace.tree import Tree, open_root
from hefesto_api.analyzers.workspace.values import Discovery, Entry, Limits, Location, Skipped, shown

__all__ = [
    "Discovery",
    "Entry",
    "Limits",
    "Location",
    "Skipped",
    "Tree",
    "open_root",
    "resolve",
    "shown",
]
