"""The same counts in Redis, weighed and counted by one script there."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from hefesto_api.domain.limits import Standing, per_minute

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.commands.core import Script

    from hefesto_api.domain.limits import Policy

VERSION = 1  # of what the script keeps: another one may not find it under its own keys
TIMEOUT = 0.03  # seconds: a Redis that takes longer is as good as none
ERRORS = (RedisError, OSError)
_PROBE = per_minute("probe", 1)

# One string for each caller: the time of the latest call (8 bytes), the number of calls, for each window the
# number of its oldest call, then the times of the calls in a ring (4 bytes each, in milliseconds).
_SCRIPT = """
local key, capacity, windows = KEYS[1], tonumber(ARGV[2]), (#ARGV - 2) / 2
local now, longest = tonumber(ARGV[1]), tonumber(ARGV[#ARGV])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local size = 12 + 4 * windows
local head = redis.call('GETRANGE', key, 0, size - 1)
local latest, calls, none = 0, 0, true
if #head == size then
  latest, calls = struct.unpack('>I8I4', head)
  now = (latest - now > longest) and now or math.max(now, latest)
  none = now - latest > longest or now < latest
end
local function age(number)
  local at = size + 4 * (number % capacity)
  return (now - struct.unpack('>I4', redis.call('GETRANGE', key, at, at + 3))) % 4294967296
end
local allowed, decisive, least, wait, oldest = 1, 1, 4294967295, 0, {}
for number = 1, windows do
  local limit, length = tonumber(ARGV[2 * number + 1]), tonumber(ARGV[2 * number + 2])
  local low = none and calls or struct.unpack('>I4', head, 9 + 4 * number)
  if low < calls and age(low) > length then
    low = low + 1
    local high = calls
    while low < high do
      local middle = math.floor((low + high) / 2)
      if age(middle) > length then low = middle + 1 else high = middle end
    end
  end
  oldest[number] = low
  local left = limit - (calls - low)
  if left < 1 then
    local frees = length - age(calls - limit)
    if allowed == 1 or frees >= wait then allowed, decisive, least, wait = 0, number, 0, frees end
  elseif allowed == 1 and left - 1 <= least then
    decisive, least, wait = number, left - 1, length - (low < calls and age(low) or 0)
  end
end
if allowed == 1 then
  redis.call('SETRANGE', key, size + 4 * (calls % capacity), struct.pack('>I4', now % 4294967296))
  head = struct.pack('>I8I4', now, calls + 1)
  for number = 1, windows do head = head .. struct.pack('>I4', oldest[number]) end
  redis.call('SETRANGE', key, 0, head)
  redis.call('PEXPIRE', key, longest)
end
return {allowed, decisive, least, wait + 1}
"""


class RedisWindows(RedisStorage):
    """What several hosts share, without what holds when it fails; `now` overrules Redis' own clock."""

    STORAGE_SCHEME = []  # noqa: RUF012 - it is opened with the host's counts beside it: see `shared`
    PREFIX = f"hefesto:limits:{VERSION}"

    _script: Script

    def __init__(self, uri: str, now: Callable[[], int] | None = None, **options: Any) -> None:
        self._now = now
        # No second try: the host's own counts are nearer than another connection.
        options |= {"retry": Retry(NoBackoff(), 0)}
        options |= {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
        super().__init__(uri.removeprefix("hefesto+"), key_prefix=self.PREFIX, **options)

    def initialize_storage(self, _uri: str) -> None:
        """Make the scripts; they are sent when they are first used."""
        super().initialize_storage(_uri)
        self._script = self.get_connection().register_script(_SCRIPT.encode())

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call if every window has room for it, and tell how its caller stands then."""
        capacity = policy.windows[-1].limit
        name = blake2b(f"{policy.lengths} {capacity} {who}".encode("utf-8", "surrogatepass"), digest_size=16)
        spans = [number for span in policy.spans for number in span]
        moment = self._now() if self._now else ""
        answer = self._script([self.prefixed_key(name.hexdigest())], [moment, capacity, *spans])
        allowed, decisive, remaining, wait = map(int, answer)
        return Standing(allowed == 1, policy.windows[decisive - 1], remaining, wait)

    def check(self) -> bool:
        """Tell whether calls can be counted: one that is full, or a replica, answers and counts nothing."""
        try:
            self.acquire("", _PROBE)
        except ERRORS:
            return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self.storage.close()
