"""What the errors of fsspec's libraries mean, by their types and codes; nobody is told their texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from greenroom.stores.orders import StoreAnswer, StoreEnd

#: Codes of S3 and Azure, names of errors and statuses of HTTP, and what they mean.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
#: https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes
_ENDS: Final = {
    **dict.fromkeys(
        (
            *("AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken"),
            *("NotSignedUp", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired"),
            # Of botocore.
            *("CredentialRetrievalError", "InvalidConfigError", "NoCredentialsError", "ProfileNotFound"),
            *("PartialCredentialsError", "SSOTokenLoadError", "TokenRetrievalError", "NoAuthTokenError"),
            *("UnauthorizedSSOTokenError", "NoRegionError"),
            # Of google-auth, and HTTP.
            *("DefaultCredentialsError", "MalformedError", "RefreshError", "401"),
            # Of Azure, its libraries and greenroom.stores.azure_blobs.
            *("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
            *("AzureSigningError", "ClientAuthenticationError", "CredentialUnavailableError", "NoAccount"),
            # Of its account or its network as a whole, whatever the file.
            *("AccountIsDisabled", "AuthorizationFailure", "AuthorizationProtocolMismatch"),
            *("AuthorizationSourceIPMismatch", "PublicAccessNotPermitted"),
            # Of asyncssh.
            *("HostKeyNotVerifiable", "KeyImportError", "KeyExchangeFailed", "PermissionDenied"),
        ),
        StoreEnd.LOGIN,
    ),
    **dict.fromkeys(
        ("FileExpired", "PreconditionFailed", "ConditionNotMet", "BlobOverwritten", "412"), StoreEnd.CHANGED
    ),
    **dict.fromkeys(
        (
            *("AccessDenied", "AllAccessDisabled", "InvalidObjectState"),
            *("AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch", "BlobArchived"),
            *("AuthorizationServiceMismatch", "InsufficientAccountPermissions"),
        ),
        StoreEnd.FORBIDDEN,
    ),
    **dict.fromkeys(
        (
            *("NoSuchBucket", "NoSuchKey", "NoSuchVersion", "SFTPNoSuchFile"),
            *("BlobNotFound", "ContainerNotFound", "ResourceNotFound", "ResourceNotFoundError"),
        ),
        StoreEnd.MISSING,
    ),
    "NoRoom": StoreEnd.NO_ROOM,
}
_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
#: Causes of an error that are looked at.
_MOST_CAUSES: Final = 10


class NoRoom(Exception):
    """What was read could not be written."""


class FileExpired(Exception):
    """The file was replaced between two pieces; called as s3fs calls it."""


def answer_of(error: BaseException) -> StoreAnswer:
    """What an error means."""
    causes = list(_causes(error))
    codes = [code for cause in causes for code in _codes(cause)]
    for code in codes:
        if end := _ENDS.get(code):
            return StoreAnswer(end=end, code=code)
    for cause in causes:
        match cause:
            case IsADirectoryError():
                return StoreAnswer(end=StoreEnd.FOLDER)
            case FileNotFoundError():
                return StoreAnswer(end=StoreEnd.MISSING)
            case PermissionError():
                return StoreAnswer(end=StoreEnd.FORBIDDEN)
            case ImportError():
                return StoreAnswer(end=StoreEnd.NO_LIBRARY)
    return StoreAnswer(end=StoreEnd.AWAY, code=codes[-1])


def is_worth_another_try(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment; not what sends more than there is room for."""
    return answer_of(error).end is StoreEnd.AWAY and not isinstance(error, MemoryError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if following is None:
            return
        yield following
        following = following.__cause__ or following.__context__


def _codes(error: BaseException) -> Iterator[str]:
    """What an error is called: by its store, by its status, by its type."""
    answer = getattr(error, "response", None)
    said = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    of_azure = getattr(error, "error_code", None)
    of_azure = getattr(of_azure, "value", of_azure)
    status = getattr(error, "status_code", None)
    for code in (said, of_azure, getattr(error, "code", None), status, type(error).__name__):
        if code is not None and _CODE.fullmatch(str(code)):
            yield str(code)
