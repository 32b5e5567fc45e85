"""Who sees the live pages: people with a token that only reads, for as long as it is one."""

from __future__ import annotations

import logging
import socket
from datetime import timedelta

import pytest
from sqlalchemy import text

from api.login_rates import MOST_FAILURES
from api.pages.access import MOST_REQUESTS, is_page
from models.api_tokens import list_tokens, revoke_token
from models.page_sessions import MOST_SESSIONS, SESSION_LIFE
from tests.api.conftest import Seconds
from tests.api.test_door import problem
from tests.support.http_api import RunningApi, running_api
from tests.support.pages import Reader, reader
from tests.support.production import wait_for
from tests.support.world import World

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORM = "Log in to see campaigns"


@pytest.mark.parametrize(
    "path", ["/", "/campaigns", "/campaigns/spring", "/campaigns/x/thumbnail", "/campaigns/"]
)
def test_who_is_not_logged_in_gets_the_form(somebody: Reader, path: str) -> None:
    """At whatever address, whether something is there or not, and with all the headers."""
    shown = somebody.get(path)
    assert (shown.status_code, FORM in shown.text) == (401, True)
    assert {name: shown.headers[name] for name in HEADERS} == HEADERS
    policy = shown.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy


def test_somebody_logs_in_and_out(paged: RunningApi, somebody: Reader) -> None:
    """The cookie is for this server alone; logged out, a copy of it is worth nothing."""
    token = paged.token("maria", read_only=True)
    let_in = somebody.log_in(token, "/campaigns?show=sent")
    assert (let_in.status_code, let_in.headers["Location"]) == (303, "/campaigns?show=sent")
    cookie = let_in.headers["Set-Cookie"]
    assert cookie.startswith("greenroom_session=")
    assert cookie.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    assert token not in cookie
    copied = cookie.split(";")[0]
    page = somebody.get("/campaigns")
    assert page.status_code == 200
    assert "Logged in as </span><bdi>maria</bdi>" in page.text
    assert {name: page.headers[name] for name in HEADERS} == HEADERS
    with paged.services.database.read() as connection:
        kept = str(connection.execute(text("SELECT * FROM page_sessions")).all())
    assert copied.partition("=")[2] not in kept
    out = somebody.post("/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "/")
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert out.headers["Clear-Site-Data"] == '"cache"'
    assert somebody.get("/campaigns").status_code == 401
    assert somebody.get("/campaigns", Cookie=copied).status_code == 401


def test_behind_tls_the_cookie_is_for_tls_alone(paged: RunningApi, somebody: Reader) -> None:
    """The server in front says so; then no other cookie is taken."""
    token = paged.token("maria", read_only=True)
    cookie = somebody.post("/", {"token": token}, X_Forwarded_Proto="https").headers["Set-Cookie"]
    assert cookie.startswith("__Host-greenroom_session=")
    assert cookie.endswith("; Secure")
    name, _, secret = cookie.split(";")[0].partition("=")
    with reader(paged) as other:
        for given, status in ((name, 200), ("greenroom_session", 401)):
            asked = other.get("/campaigns", Cookie=f"{given}={secret}", X_Forwarded_Proto="https")
            assert asked.status_code == status


def test_a_session_ends_with_its_token_and_at_its_time(
    paged: RunningApi, somebody: Reader, world: World
) -> None:
    """At once, and not when the browser comes to think of it."""
    token = paged.token("maria", read_only=True)
    somebody.log_in(token)
    with paged.services.database.write() as connection:
        revoke_token(connection, "maria")
    assert somebody.get("/campaigns").status_code == 401
    assert "not known here" in somebody.log_in(token).text
    somebody.log_in(paged.token("maria", read_only=True))
    world.clock.advance(SESSION_LIFE - timedelta(seconds=1))
    assert somebody.get("/campaigns").status_code == 200
    world.clock.advance(timedelta(seconds=1))
    assert somebody.get("/campaigns").status_code == 401


def test_a_token_has_so_many_sessions(paged: RunningApi, somebody: Reader) -> None:
    """The oldest ends."""
    token = paged.token("maria", read_only=True)
    somebody.log_in(token)
    with reader(paged) as other:
        for _ in range(MOST_SESSIONS - 1):
            other.session.cookies.clear()
            other.log_in(token)
        assert somebody.get("/campaigns").status_code == 200
        other.log_in(token)
        assert other.get("/campaigns").status_code == 200
    assert somebody.get("/campaigns").status_code == 401
    with paged.services.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM page_sessions")).scalar() == MOST_SESSIONS


def test_a_schedulers_token_opens_no_page_and_a_readers_changes_nothing(
    paged: RunningApi, somebody: Reader
) -> None:
    """Each is refused with what to do."""
    refused = somebody.log_in(paged.token("shop"))
    assert (refused.status_code, "greenroom token new NAME --read-only" in refused.text) == (401, True)
    assert "Set-Cookie" not in refused.headers
    token = paged.token("maria", read_only=True)
    assert paged.ask("GET", "/v1/channels", token=token).status_code == 200
    for method, path in (("DELETE", "/v1/campaigns/a"), ("PUT", "/v1/campaigns/a"), ("POST", "/v1/uses")):
        problem(paged.ask(method, path, token=token), 403, "TokenReadsOnly")
    # A token is no cookie, and a cookie no token.
    assert paged.ask("GET", "/campaigns", token=token).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_other_sites_post_nothing(paged: RunningApi, manager: Reader, headers: dict[str, str]) -> None:
    """Neither do they log somebody in, nor out."""
    token = paged.token("evil", read_only=True)
    for path, form in (("/campaigns", {"token": token}), ("/logout", None)):
        refused = manager.post(path, form, **headers)
        assert (refused.status_code, "Set-Cookie" in refused.headers) == (403, False)
    assert "<bdi>maria</bdi>" in manager.get("/campaigns").text
    same = {"Origin": f"http://127.0.0.1:{paged.port}"}
    assert manager.post("/campaigns", {"token": token}, **same).status_code == 303


@pytest.mark.parametrize(
    "form",
    [{}, {"token": ""}, {"token": "x"}, {"token": "greenroom_read_" + "A" * 43}, b"token=\xff", "a=1&" * 400],
)
def test_what_is_no_token_is_refused(somebody: Reader, form: object) -> None:
    """Whatever it is."""
    refused = somebody.post("/campaigns", form)
    assert (refused.status_code, "Set-Cookie" in refused.headers) == (401, False)
    assert "not known here" in refused.text


def test_a_form_has_its_bound(somebody: Reader) -> None:
    """Of a stranger's body, no more is read."""
    assert somebody.post("/campaigns", b"token=" + b"x" * 5_000).status_code == 413


def test_a_form_that_breaks_off_is_nobodys_fault(
    paged: RunningApi, somebody: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as a failure, so that nobody keeps all places by it; no error of the server's is logged."""
    token = paged.token("maria", read_only=True)
    for _ in range(MOST_FAILURES):
        with socket.create_connection(("127.0.0.1", paged.port)) as stranger:
            stranger.sendall(b"POST /campaigns HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ntok")
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(4_096):
                pass
    wait_for(lambda: somebody.log_in(token).status_code == 429)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_header_moves_no_link(paged: RunningApi, somebody: Reader) -> None:
    """Nor does it break a page."""
    cookie = somebody.log_in(paged.token("maria", read_only=True)).headers["Set-Cookie"].split(";")[0]
    # Cookies of its own are for the host that the header names.
    somebody.session.cookies.clear()
    for host in ("[", "evil.example/x?y", f"127.0.0.1:{paged.port}"):
        page = somebody.get("/campaigns", Host=host, Cookie=cookie)
        assert (page.status_code, 'href="/campaigns?refresh=off"' in page.text) == (200, True), host


def test_who_fails_too_often_waits(paged: RunningApi, somebody: Reader, seconds: Seconds) -> None:
    """Whoever is logged in is not concerned."""
    token = paged.token("maria", read_only=True)
    with reader(paged) as known:
        known.log_in(token)
        for _ in range(MOST_FAILURES):
            assert somebody.log_in("wrong").status_code == 401
        refused = somebody.log_in(token)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "61")
        assert known.get("/campaigns").status_code == 200
    seconds.now += 61
    assert somebody.log_in(token).status_code == 303


def test_behind_a_proxy_each_reader_waits_for_their_own_failures(paged: RunningApi, somebody: Reader) -> None:
    """On this machine a server in front is believed, in what it says of who came to it: the last address."""
    token = paged.token("maria", read_only=True)
    for number in range(MOST_FAILURES):
        # Whoever fails may write more before it, and has a whole network of IPv6.
        form = {"token": "wrong"}
        forwarded = f"192.0.2.{number}, 2001:db8::{number:x}"
        assert somebody.post("/campaigns", form, X_Forwarded_For=forwarded).status_code == 401
    for address, status in (("2001:db8::ffff:1", 429), ("2001:db8:0:1::1", 303), ("203.0.113.9:4711", 303)):
        let_in = somebody.post("/campaigns", {"token": token}, X_Forwarded_For=address)
        assert (address, let_in.status_code) == (address, status)


def test_who_is_no_trusted_proxy_speaks_for_nobody(database_url: str, redis_url: str) -> None:
    """Or each of a stranger's tries could come from elsewhere."""
    with running_api(database_url, redis_url, trusted_proxies="10.0.0.0/8") as api, reader(api) as stranger:
        for number in range(MOST_FAILURES):
            form = {"token": "wrong"}
            assert stranger.post("/campaigns", form, X_Forwarded_For=f"192.0.2.{number}").status_code == 401
        refused = stranger.post("/campaigns", form, X_Forwarded_For="203.0.113.9")
        assert refused.status_code == 429


def test_a_reader_has_the_rate_of_the_token(paged: RunningApi, manager: Reader, seconds: Seconds) -> None:
    """As programs have."""
    with paged.services.database.read() as connection:
        (maria,) = (row.id for row in list_tokens(connection) if row.name == "maria")
    for _ in range(paged.services.limits.requests_per_minute - 1):
        paged.services.rates.take(maria)
    assert manager.get("/campaigns").status_code == 200
    refused = manager.get("/campaigns")
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    seconds.now += 60
    assert manager.get("/campaigns").status_code == 200


def test_a_link_from_elsewhere_leads_in_at_the_second_look(manager: Reader) -> None:
    """Browsers send no cookie with the first; the page that it gets asks again from here."""
    with_link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document", "Cookie": ""}
    assert 'http-equiv="refresh" content="0"' in manager.get("/campaigns/spring", **with_link).text
    assert FORM in manager.get("/campaigns/spring", **{**with_link, "Sec_Fetch_Dest": "image"}).text


def test_what_is_a_page() -> None:
    """All else is the API's, and needs a token of its own."""
    assert all(map(is_page, ("/", "/campaigns", "/campaigns/a/b", "/logout")))
    assert not any(map(is_page, ("", "//campaigns", "/v1/campaigns/a", "/campaignsx", "/healthz")))
    assert MOST_REQUESTS < 64
