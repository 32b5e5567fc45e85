"""TLS, names and proxies: connections are kept and looked at as without, and what fails is told apart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from greenroom.errors import ProviderAway, ProviderUnavailable
from greenroom.provider import ProviderClient
from tests.provider.conftest import StartClient, StartStandIn, Way, upload
from tests.support.stand_in import Request, StandIn, deliver, reply
from tests.support.tls import Authority, TunnelProxy, await_arrival

Start = Callable[..., tuple[StandIn, ProviderClient]]
WHOLE = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"id": "99"}'


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only some clients know."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tunnel() -> Iterator[TunnelProxy]:
    """A proxy."""
    proxy = TunnelProxy()
    yield proxy
    proxy.close()


@pytest.fixture(params=["at once", "streamed", "through a tunnel"])
def start(
    request: pytest.FixtureRequest,
    stand_in: StartStandIn,
    client_of: StartClient,
    authority: Authority,
    tunnel: TunnelProxy,
) -> Iterator[Start]:
    """Starts a server that speaks TLS, and its client, which sends one way or the other."""
    Way.later = request.param == "at once"

    def begin(*scripts: object) -> tuple[StandIn, ProviderClient]:
        server = stand_in(*scripts)
        server.tls = authority.context
        proxy = tunnel.url if request.param == "through a tunnel" else None
        url = f"https://127.0.0.1:{server.port}"
        return server, client_of(url, ca_bundle=authority.bundle, proxy=proxy)

    yield begin
    Way.later = False


def test_a_connection_is_kept_and_what_comes_unasked_is_not_taken(start: Start, tunnel: TunnelProxy) -> None:
    """The peer's session tickets, which come at any time, are no reason to hang up; an answer is."""
    speaks, spoke = threading.Event(), threading.Event()

    def say_twice(connection: socket.socket, request: Request) -> None:
        reply(200, '{"id": "11"}')(connection, request)
        speaks.wait(10)
        deliver(connection, WHOLE)
        spoke.set()

    def wait_for_slot() -> None:
        speaks.set()
        assert spoke.wait(10)
        # Where there is a proxy, it has it, and perhaps not yet we.
        await_arrival(tunnel.url if tunnel.asked else f"https://127.0.0.1:{server.port}")

    server, client = start(reply(200, '{"id": "10"}'), say_twice, reply(200, '{"id": "22"}'))
    assert [upload(client), upload(client)] == ["10", "11"]
    assert server.connections == 1
    assert upload(client, before_sending=wait_for_slot) == "22"
    assert server.connections == 2


def test_the_api_is_reached_as_requests_reach_it(start: Start) -> None:
    """Without a word to it: a request without a key would be a failed one."""
    server, client = start(reply(200))
    client.reach()
    assert server.accepted.is_set()
    assert server.requests == []


def test_a_folder_of_authorities(
    stand_in: StartStandIn, client_of: StartClient, authority: Authority
) -> None:
    """Named by their hashes, as /etc/ssl/certs has them."""
    server = stand_in(reply(200, '{"id": "11"}'))
    server.tls = authority.context
    client = client_of(f"https://127.0.0.1:{server.port}", ca_bundle=authority.folder)
    client.reach()
    assert upload(client) == "11"


@pytest.mark.usefixtures("each_way")
@pytest.mark.parametrize("kind", ["unknown authority", "another host", "no TLS", "no name", "refused"])
def test_why_there_is_no_connection(
    stand_in: StartStandIn, client_of: StartClient, authority: Authority, kind: str
) -> None:
    """Said in words; nothing was sent, and no key seen."""
    server = stand_in(reply(200))
    if kind != "no TLS":
        server.tls = authority.context
    if kind == "refused":
        server.stop_accepting()
    host = {"another host": "localhost", "no name": "greenroom.invalid"}.get(kind, "127.0.0.1")
    bundle = None if kind == "unknown authority" else authority.bundle
    client = client_of(f"https://{host}:{server.port}", ca_bundle=bundle)
    says = {
        "unknown authority": "certificate is not accepted",
        "another host": "certificate is not accepted",
        "no TLS": "TLS failed",
        "no name": "name cannot be resolved",
        "refused": "refused",
    }[kind]
    for ask in (client.reach, lambda: upload(client)):
        server.greets = b"220 This is another service\r\n" if kind == "no TLS" else b""
        with pytest.raises(ProviderUnavailable, match=says) as caught:
            ask()
        # What is not TLS may as well have been seen in the middle of a request.
        assert isinstance(caught.value, ProviderAway) or kind == "no TLS"
    assert all(request.method != "POST" for request in server.requests)


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses(stand_in: StartStandIn, client_of: StartClient, status: int) -> None:
    """It is the proxy that is named, and not with what it said."""
    proxy = stand_in(reply(status, "secret words"))
    client = client_of("https://127.0.0.1:9", proxy=proxy.url)
    for ask in (client.reach, lambda: upload(client)):
        with pytest.raises(ProviderAway, match="proxy") as caught:
            ask()
        assert "secret" not in str(caught.value)
