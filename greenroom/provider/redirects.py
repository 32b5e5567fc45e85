"""Which redirects are followed: within the API's own origin, and never such that a method changes.

The page mentions HTTP 308. The API key is sent nowhere else.
"""

from __future__ import annotations

from greenroom.errors import RedirectRefused, UploadRedirected
from greenroom.provider.error_table import Endpoint
from greenroom.provider.origin import Origin
from greenroom.provider.request import ApiRequest

#: Redirects that are followed for one request.
MAX_API_REDIRECTS = 3
#: For so long after an upload was redirected, all go the way that follows redirects; seconds.
REDIRECTED_SECONDS = 300.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_METHOD_KEPT = frozenset({307, 308})  # the others may turn a POST into a GET


def redirect_target(
    request: ApiRequest, origin: Origin, *, url: str, status: int, location: str | None
) -> str:
    """Where to ask instead.

    Args:
        request: what was redirected.
        origin: which must not be left.
        url: to which it was sent.
        status: one of :data:`REDIRECTS`.
        location: the header of that name.

    Raises:
        UploadRedirected: an upload was, to where it is not this API, or the method would change.
        RedirectRefused: another request was.
    """
    if status not in _METHOD_KEPT and request.method != "GET":
        raise redirect_refused(request, f"by HTTP {status}, which does not keep its method", status)
    if not location:
        raise redirect_refused(request, "to nowhere", status)
    target = origin.resolve(url, location)
    if target is None:
        home = f"{origin.scheme}://{origin.host}:{origin.port}"
        raise redirect_refused(request, f"away from {home}; the API key is not sent elsewhere", status)
    return target


def redirect_refused(
    request: ApiRequest, whither: str, status: int | None = None
) -> UploadRedirected | RedirectRefused:
    """The error for a redirect that is not followed."""
    text = f"{request.endpoint} was redirected {whither}"
    if request.endpoint is Endpoint.UPLOAD:
        return UploadRedirected(text)
    return RedirectRefused(text, status=status)
