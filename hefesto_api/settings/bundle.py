"""The single-file binary: what one of its processes has to tell another that it starts.

The binary unpacks itself into a folder of its own, which its first process removes at the end. Another
process of the binary finds that folder by these names; without them it would unpack everything once more.
"""

import os
import sys

_TOLD = ("_PYI_ARCHIVE_FILE", "_PYI_APPLICATION_HOME_DIR", "_PYI_PARENT_PROCESS_LEVEL", "LD_LIBRARY_PATH")


def environ() -> dict[str, str]:
    """Return what a child with an otherwise empty environment needs: nothing, but in the binary."""
    if not getattr(sys, "frozen", False):
        return {}
    return {name: os.environ[name] for name in _TOLD if name in os.environ}
