"""The one maker of identifiers: UUID version 7, so that ids sort by the time they were made."""

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 (RFC 9562, section 5.7) as a string.

    The 74 bits after the millisecond are a sub-millisecond clock (12 bits, method 3 of section 6.2)
    and randomness; within one process ids are strictly increasing.
    """
    global _last
    with _lock:
        nanoseconds = max(time.time_ns(), _last + 245)  # 1/4096 ms, the step of the 12-bit fraction
        _last = nanoseconds
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    number = (milliseconds << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | random
    text = f"{number:032x}"  # uuid.UUID would take longer for this than for all the rest
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
