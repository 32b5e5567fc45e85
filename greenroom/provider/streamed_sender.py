"""Sends requests through ``requests``, a body in pieces, and follows their redirects.

For everything but small uploads, and for these, too, where there is a proxy or a redirect.
"""

from __future__ import annotations

import ssl
from functools import partial

import requests
from requests.structures import CaseInsensitiveDict

from greenroom.provider.failures import BROKEN_EXCHANGE, never_connected, why
from greenroom.provider.metered_connection import MeteredBody
from greenroom.provider.origin import Origin
from greenroom.provider.redirects import MAX_API_REDIRECTS, REDIRECTS, redirect_refused, redirect_target
from greenroom.provider.reply import Reply
from greenroom.provider.request import ApiRequest
from greenroom.provider.response_errors import error_of_break
from greenroom.provider.sessions import SessionPool


class StreamedSender:
    """Sends to one origin, directly or through a proxy; may be used by many threads at once."""

    def __init__(
        self, origin: Origin, *, proxy: str | None, tls: ssl.SSLContext | None, timeout: tuple[float, float]
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            origin: where to.
            proxy: URL of an HTTP proxy.
            tls: how to verify; None for plain HTTP.
            timeout: seconds for connecting, and seconds without progress.

        Raises:
            SettingsError: the proxy's URL is none.
        """
        self._origin = origin
        self._proxies = {origin.scheme: proxy} if proxy else {}
        self._timeout = timeout
        self._sessions = SessionPool(origin, proxy=proxy, tls=tls)

    def send(self, request: ApiRequest) -> Reply:
        """Send a request and follow its redirects; returns what it was answered, whatever its status.

        Raises:
            GreenroomError: no answer came, or a redirect that is not followed.
        """
        url = request.url
        for _ in range(MAX_API_REDIRECTS + 1):
            reply = self._send(request, url)
            if reply.status not in REDIRECTS:
                return reply
            request.redirected = True
            with reply:
                url = redirect_target(
                    request, self._origin, url=url, status=reply.status, location=reply.header("Location")
                )
        raise redirect_refused(request, f"more than {MAX_API_REDIRECTS} times")

    def _send(self, request: ApiRequest, url: str) -> Reply:
        request.sent_whole = False  # of an earlier, redirected sending
        session = self._sessions.take()
        try:
            response = session.send(
                self._prepared(request, url),
                stream=True,
                timeout=self._timeout,
                allow_redirects=False,
                verify=True,
                cert=None,
                proxies=self._proxies,
            )
        except BROKEN_EXCHANGE as error:
            problem, connected = why(error), not never_connected(error)
        except BaseException:
            session.close()
            raise
        else:
            # After half a body the connection cannot be used for another request.
            in_step = request.body is None or request.sent_whole
            free = partial(self._sessions.give_back, session) if in_step else session.close
            return Reply(response, timeout=self._timeout[1], free=free)
        # Raised out here, so that the exception of `requests`, which holds the key, is not our context.
        session.close()
        raise error_of_break(request, problem, connected=connected)

    def _prepared(self, request: ApiRequest, url: str) -> requests.PreparedRequest:
        """The request as it stands: `requests` would rewrite the URL, and cannot know the body's length."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = url
        prepared.headers = CaseInsensitiveDict(request.headers())
        prepared.hooks = {"response": []}
        if request.body is not None:
            body = MeteredBody(request, request.body, send_timeout=self._timeout[1])
            prepared.body = body  # type: ignore[assignment]  # typed as bytes; any iterable is sent
        return prepared

    def reach(self) -> None:
        """Make a connection as for a request, and close it.

        Raises:
            One of BROKEN_EXCHANGE: none could be made.
        """
        self._sessions.reach(timeout=self._timeout[0])

    def close(self) -> None:
        """Close all connections: the idle ones now, those in use as they are given back."""
        self._sessions.close()
