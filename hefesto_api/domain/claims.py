"""What an access token says."""

from __future__ import annotations

from msgspec import Struct


class Claims(Struct, frozen=True, kw_only=True):
    """What a good token says.

    `kind` is user or client (of OAuth); `sid` names the session or the grant that the token hangs on, and
    `epoch` the subject's count of withdrawals: both are to be compared with what is on record.
    """

    iss: str
    aud: str
    sub: str
    jti: str
    iat: int
    nbf: int
    exp: int
    type: str
    kind: str
    scope: str = ""
    sid: str = ""
    client_id: str = ""
    epoch: int = 0

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that the token is for; what its subject holds is another matter."""
        return frozenset(self.scope.split())
