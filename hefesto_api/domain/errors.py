"""What can go wrong, in the words of the domain; the web decides the status codes, once."""

from collections.abc import Mapping
from typing import Any


class HefestoError(Exception):
    """The root of our errors: `code` is the wire code, `details` what a client can act on."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class MalformedRequest(HefestoError):
    """The request cannot be read at all."""

    code = "MALFORMED_REQUEST"


class InvalidFilePath(HefestoError):
    """A path is missing, unreadable or outside the allowed roots.

    `reason` is one of file_not_found, outside_roots, not_readable, not_a_regular_file, too_large.
    """

    code = "INVALID_FILE_PATH"

    def __init__(self, path: str, reason: str, message: str | None = None) -> None:
        super().__init__(message or f"{path}: {reason.replace('_', ' ')}", path=path, reason=reason)
        self.path = path
        self.reason = reason


class NotFound(HefestoError):
    """A resource with that id does not exist (or not for this caller)."""

    code = "RESOURCE_NOT_FOUND"

    def __init__(self, resource_type: str, resource_id: str) -> None:
        super().__init__(
            f"There is no {resource_type} {resource_id!r}.",
            resource_type=resource_type,
            resource_id=resource_id,
        )


class Conflict(HefestoError):
    """The state of the resource does not allow this, or it exists already."""

    code = "CONFLICT"


class PreconditionFailed(HefestoError):
    """`If-Match` does not hold: somebody else changed the resource."""

    code = "PRECONDITION_FAILED"


class PayloadTooLarge(HefestoError):
    """More bytes than the configured limit."""

    code = "PAYLOAD_TOO_LARGE"


class Invalid(HefestoError):
    """Values that do not fit; `errors` is a list of `{field, message, type}`."""

    code = "VALIDATION_ERROR"

    def __init__(self, field: str, message: str, kind: str = "invalid") -> None:
        super().__init__(message, errors=[{"field": field, "message": message, "type": kind}])


class AnalysisFailed(HefestoError):
    """An analysis could not be carried out."""

    code = "ANALYSIS_FAILED"


class AnalyzerUnavailable(HefestoError):
    """A tool that an analysis needs is not there."""

    code = "ANALYZER_UNAVAILABLE"


class StorageError(HefestoError):
    """The database did not do what it was asked."""

    code = "STORAGE_ERROR"


class ServiceUnavailable(HefestoError):
    """The service cannot take this now; try again later."""

    code = "SERVICE_UNAVAILABLE"


class UsageError(HefestoError):
    """A setting or an argument is wrong; the message names it and the remedy."""

    code = "VALIDATION_ERROR"
