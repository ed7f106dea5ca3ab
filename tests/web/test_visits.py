"""Who visits: cookies, devices, addresses, users and tokens of a request."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

import pytest
from web_world import ACTIONS, MARCUS, OLIVIA, ORIGIN, SECRET, Site

from stepup import Actor, AsyncStepUp, Context, Session, StepUp
from stepup.errors import ConfigurationError, Denied, InvalidInput, Refused
from stepup.keys import KeyRing
from stepup.stores.memory import MemoryStore
from stepup.surface import Surface
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.testing.clock import START
from stepup.token import TokenWriter
from stepup.web import WebRequest, WebResponse
from stepup.web.addresses import client_ip, network_of, proxy_networks
from stepup.web.cookies import DEVICE_TYPE, Devices, cookie_names, device_label, read_cookies
from stepup.web.people import actor_of
from stepup.web.site import Site as WebSite
from stepup.web.visits import Visit

PROXIES = proxy_networks(["10.0.0.0/8", "2001:db8:1::/48"])


def a_site(**options: Any) -> WebSite:
    gate = StepUp(
        actions=[one for one in ACTIONS if one.id != "key.rotate"],
        verifiers=[ScriptedVerifier("password")],
        store=MemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
        login_url="/login",
    )
    return WebSite(gate, **options)


def a_request(method: str = "POST", **headers: str) -> WebRequest:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebRequest(method, "/x", sent, origin=ORIGIN, peer="198.51.100.7")


def cookies_of(visit: Visit) -> dict[str, str]:
    """What the visit sets, by name, as a browser would send it back."""
    return dict(cookie.partition(";")[0].split("=", 1) for cookie in visit.set_cookies())


def header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


# -- sessions and devices -----------------------------------------------------------------


def test_a_browser_keeps_its_session_and_its_device() -> None:
    """The first visit sets two cookies, the next sets none and is the same session on the same device."""
    site = a_site()
    first = site.visit(a_request(user_agent="Mozilla (Windows NT) Firefox/1"), OLIVIA)
    cookies = cookies_of(first)
    second = site.visit(a_request(cookie=header(cookies)), OLIVIA)

    assert set(cookies) == {"__Host-stepup", "__Host-stepup-device"}
    assert second.set_cookies() == ()
    assert second.context is not None
    assert first.context is not None
    assert second.context.session == first.context.session
    assert first.context.device is not None
    assert second.context.device is not None
    assert second.context.device.fingerprint == first.context.device.fingerprint
    assert first.context.device.label == "Windows / Firefox"
    assert (first.context.ip, first.context.actor) == ("198.51.100.7", OLIVIA)


def test_nobody_has_no_cookies() -> None:
    """A visit of nobody sets nothing, and what needs somebody is denied."""
    visit = a_site().visit(a_request(), None)

    assert visit.context is None
    assert visit.set_cookies() == ()
    with pytest.raises(Denied) as refused:
        _ = visit.known
    assert refused.value.code == "login_required"
    assert refused.value.login_url == "/login"


@pytest.mark.requirement("B-01")
def test_a_request_of_another_site_is_nobodys_to_guard() -> None:
    """What changes something and comes from elsewhere is denied; looking is not, nor a client with a bearer token."""
    site = a_site()
    evil = {"origin": "https://evil.example"}
    for headers in (evil, {"sec_fetch_site": "cross-site"}):
        with pytest.raises(Denied) as refused:
            _ = site.visit(a_request(**headers), OLIVIA).known
        assert refused.value.code == "bad_request"
    assert site.visit(a_request("GET", **evil), OLIVIA).known.actor == OLIVIA
    assert site.visit(a_request(authorization="Bearer x", **evil), OLIVIA).known.actor == OLIVIA
    with pytest.raises(Denied):
        _ = site.visit(a_request(authorization="Bearer x", cookie="app=1", **evil), OLIVIA).known
    trusting = a_site(trusted=["https://evil.example"])
    assert trusting.visit(a_request(**evil), OLIVIA).known.actor == OLIVIA


def test_the_cookie_of_somebody_else_is_no_cookie() -> None:
    """Marcus at Olivia's browser gets a session of his own; her sign-in is not his."""
    site = a_site()
    hers = site.visit(a_request(), None)
    hers.signed_in(OLIVIA, ["password"])
    his = site.visit(a_request(cookie=header(cookies_of(hers))), MARCUS)

    assert hers.context is not None
    assert his.context is not None
    assert hers.context.session is not None
    assert his.context.session is not None
    assert hers.context.session.authenticated_at == START
    assert his.context.session.authenticated_at is None
    assert his.context.session.id != hers.context.session.id


@pytest.mark.requirement("G-01")
def test_signing_in_and_renewing_change_the_id() -> None:
    """Signing in makes a new, fresh session; renewing keeps the freshness it had, and calls the application's own."""
    called: list[str] = []
    site = a_site()
    visit = site.visit(a_request(), OLIVIA, rotate=lambda: called.append("own"))
    assert visit.context is not None
    assert visit.context.session is not None
    ids = [visit.context.session.id]
    visit.signed_in(OLIVIA, ["password", "totp"])
    ids.append(visit.context.session.id)
    renewed = visit.renew()
    assert isinstance(renewed, str)
    ids.append(renewed)

    assert len(set(ids)) == 3
    assert visit.context.session is not None
    assert (visit.context.session.id, visit.context.session.authenticated_at) == (ids[-1], START)
    assert [proof.method for proof in visit.context.session.proofs] == ["password", "totp"]
    assert called == ["own"]


def test_signing_out_takes_the_cookies_away() -> None:
    """The session's and the grant's; the browser stays the browser it is."""
    site = a_site()
    visit = site.visit(a_request(), OLIVIA)
    visit.set_cookies()
    visit.signed_out()

    gone = visit.set_cookies()
    assert sorted(cookie.partition("=")[0] for cookie in gone) == ["__Host-stepup", "__Host-stepup-grant"]
    assert all("Max-Age=0" in cookie for cookie in gone)
    assert visit.context is None


def test_who_leaves_is_known_from_the_cookie_too() -> None:
    """An application that has forgotten its session before it signs out here still ends what was opened in it."""
    site = a_site()
    visit = site.visit(a_request(), OLIVIA)
    assert visit.leaving is visit.context
    assert visit.context is not None
    forgotten = site.visit(a_request(cookie=header(cookies_of(visit))), None)

    assert forgotten.context is None
    assert forgotten.leaving is not None
    assert (forgotten.leaving.actor.id, forgotten.leaving.session) == (OLIVIA.id, visit.context.session)
    for cookie in ("", "__Host-stepup=junk", "__Host-stepup=" + a_site(cookie="x").protocol.prefix):
        assert site.visit(a_request(cookie=cookie), None).leaving is None
    assert site.visit(a_request(authorization="Bearer x"), None).leaving is None


@pytest.mark.requirement("Z-08")
def test_requests_and_responses_show_no_secret() -> None:
    """Neither the address with its query, nor headers, nor bodies stand in a repr."""
    canary = "c4n4ry"
    shown = [
        repr(WebRequest("POST", f"/x?t={canary}", {"cookie": canary}, {"t": canary}, canary.encode(), token=canary)),
        repr(WebResponse(200, (("set-cookie", canary),), canary.encode())),
    ]

    assert canary not in "".join(shown)


@pytest.mark.requirement("B-04")
def test_no_other_name_is_taken_for_ours() -> None:
    """A cookie whose name begins with what Python calls white space is another cookie; another host could set it."""
    ours = read_cookies("__Host-stepup=a; \xa0__Host-stepup=b; \x85__Host-stepup-device=c; \t__Host-x=d")

    assert ours["__Host-stepup"] == "a"
    assert "__Host-stepup-device" not in ours
    assert ours["__Host-x"] == "d"


def test_a_bearer_token_is_a_session_of_its_own() -> None:
    """By its hash, the same for the same token, without a device; and nothing can be signed in to."""
    site = a_site()
    one, again, other = (
        site.visit(a_request(authorization=f"Bearer {token}"), OLIVIA) for token in ("aaa", "aaa", "bbb")
    )
    sessions = [visit.context.session.id for visit in (one, again, other) if visit.context and visit.context.session]

    assert sessions[0] == sessions[1] != sessions[2]
    assert "aaa" not in sessions[0]
    assert one.context is not None
    assert one.context.device is None
    assert one.set_cookies() == ()
    assert one.request.rotate is None
    with pytest.raises(InvalidInput):
        one.signed_in(OLIVIA, ["password"])


def test_an_application_may_give_the_context_itself() -> None:
    """Its session is used as it is; stepup sets no cookie, and renews by the application's own function."""
    site = a_site()
    context = Context(OLIVIA, session=Session("theirs"))
    visit = site.visit_in(a_request(), context, rotate=lambda: "theirs too")

    assert visit.context is context
    assert visit.set_cookies() == ()
    assert visit.request.rotate is not None
    assert visit.request.rotate() == "theirs too"
    assert site.visit_in(a_request(), None).context is None
    with pytest.raises(InvalidInput, match="not a Context"):
        site.visit_in(a_request(), "olivia")


def test_what_signed_in_is_told_must_be_somebody() -> None:
    """Nobody cannot sign in."""
    with pytest.raises(InvalidInput, match="nobody"):
        a_site().visit(a_request(), None).signed_in(None, ["password"])


# -- remembered devices ---------------------------------------------------------------------


@pytest.mark.requirement("V-01", "B-04")
def test_the_token_of_a_device_goes_into_a_cookie_and_comes_back_in_the_context() -> None:
    """As it came: what it is worth is the gate's to say; and with 0 seconds it goes."""
    site = a_site()
    visit = site.visit(a_request(), OLIVIA)
    assert visit.context is not None
    assert visit.context.device_token is None
    keep = visit.request.keep_device
    assert keep is not None
    keep("a.b.c", 77)
    set_now = visit.set_cookies()
    assert "__Host-stepup-trust=a.b.c; Path=/; Max-Age=77; HttpOnly; SameSite=Lax; Secure" in set_now

    again = site.visit(a_request(cookie="__Host-stepup-trust=a.b.c"), OLIVIA)
    assert again.context is not None
    assert again.context.device_token == "a.b.c"
    assert "a.b.c" not in repr(again.context)
    again.keep_device("", 0)
    assert any("stepup-trust=; Path=/; Max-Age=0" in cookie for cookie in again.set_cookies())
    plain = a_site(secure=False, cookie="mine").visit(a_request(cookie="mine-trust=x.y.z"), OLIVIA)
    assert plain.context is not None
    assert plain.context.device_token == "x.y.z"


def test_a_bearer_client_has_no_device_to_remember() -> None:
    """Whatever cookie it sends."""
    cookie = "__Host-stepup-trust=a.b.c"
    for visit in (
        a_site().visit(a_request(authorization="Bearer t", cookie=cookie), OLIVIA),
        a_site().visit_in(a_request(authorization="Bearer t", cookie=cookie), Context(OLIVIA, Session("theirs"))),
    ):
        assert visit.context is not None
        assert visit.context.device_token is None
        assert visit.request.keep_device is None


def test_an_application_that_gives_contexts_has_the_cookie_too() -> None:
    """Unless it says itself what the device presents."""
    site, request = a_site(), a_request(cookie="__Host-stepup-trust=a.b.c")
    theirs = Context(OLIVIA, Session("theirs"), device_token="own")
    for given, expected in ((Context(OLIVIA, Session("theirs")), "a.b.c"), (theirs, "own")):
        visit = site.visit_in(request, given)
        assert visit.context is not None
        assert visit.context.device_token == expected
        assert visit.request.keep_device is not None


# -- cookies --------------------------------------------------------------------------------


@pytest.mark.requirement("B-04")
def test_cookies_are_of_this_host_alone() -> None:
    """``__Host-`` with all that it asks for; plain only where somebody develops without TLS."""
    names = cookie_names()
    assert names.set(names.session, "x", 9) == "__Host-stepup=x; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure"
    plain = cookie_names(secure=False, name="mine")
    assert plain.set(plain.device, "x", 9) == "mine-device=x; Path=/; Max-Age=9; HttpOnly; SameSite=Lax"
    assert "Max-Age=0" in plain.delete(plain.grant)


def test_a_cookie_given_twice_is_none() -> None:
    """Which of two is ours cannot be told; everything else is read as it stands."""
    assert read_cookies('a=1; b=2; a=3; c="4"; junk; =x; d=5=6') == {"b": "2", "c": "4", "": "x", "d": "5=6"}


def test_a_device_is_one_that_we_made() -> None:
    """Edited, of another key, of another gate, of another type: another browser."""
    ring = KeyRing.coerce(SECRET)
    devices = Devices(ring, "stepup")
    cookie = devices.written("d" * 64, START)

    assert devices.read(cookie) == "d" * 64
    other = KeyRing.coerce("another secret of the web tests, never real: 9876543210")
    for junk in (
        None, "", cookie[:-1], Devices(other, "stepup").written("d", START), Devices(ring, "x").written("d", START),
        TokenWriter(ring, "stepup-session+jwt").sign({"iss": "stepup", "jti": "d"}),
        TokenWriter(ring, DEVICE_TYPE).sign({"iss": "stepup", "jti": 7}),
    ):  # fmt: skip
        assert devices.read(junk) is None


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.4 Safari/605.1.15", "Mac / Safari"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) CriOS/123 Mobile Safari/604.1", "iPhone / Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/123.0 Safari/537.36 Edg/123.0", "Windows / Edge"),
        ("Mozilla/5.0 (Linux; Android 14) SamsungBrowser/24.0 Chrome/117.0", "Android / Samsung Internet"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0", "Linux / Firefox"),
        ("curl/8.5.0", None),
        ("", None),
    ],
)
def test_a_device_has_a_name_for_people(user_agent: str, label: str | None) -> None:
    """System and browser, as far as the user agent tells."""
    assert device_label(user_agent) == label


# -- addresses --------------------------------------------------------------------------------


@pytest.mark.requirement("R-05")
@pytest.mark.parametrize(
    ("peer", "forwarded", "ip"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "192.0.2.1, junk, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "10.2.2.2, 10.3.3.3", "10.2.2.2"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.1.1.1", "[2001:db8::7]:443", "2001:db8::7"),
        ("2001:db8:1::5", "2001:db8:2::9", "2001:db8:2::9"),
        ("::ffff:10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "1," * 40 + "10.9.9.9", "10.9.9.9"),
        ("unix:", "203.0.113.9", None),
        (None, "203.0.113.9", None),
    ],
)
def test_an_address_is_what_a_declared_proxy_says(peer: str | None, forwarded: str, ip: str | None) -> None:
    """Of the header only what one's own proxies added is believed, and only from one's own proxy."""
    assert client_ip(peer, forwarded, PROXIES) == ip


@pytest.mark.requirement("R-05")
def test_where_requests_are_counted_a_customer_is_one() -> None:
    """An IPv6 address counts as its /64, an IPv4 address as itself."""
    assert network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("nonsense") is None


@pytest.mark.parametrize("proxies", [["10.0.0.1/8"], ["proxy.example"], "10.0.0.0/8", [7.5]])
def test_proxies_are_networks(proxies: Any) -> None:
    """Anything else is a mistake that is seen at construction."""
    with pytest.raises(ConfigurationError, match="proxies="):
        a_site(proxies=proxies)


# -- people -----------------------------------------------------------------------------------


class User:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


NUMBER = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("user", "actor"),
    [
        (None, None),
        (OLIVIA, OLIVIA),
        (User(id=7, email="o@northstar.example"), Actor("7", email="o@northstar.example")),
        (User(id=NUMBER), Actor(str(NUMBER))),
        (User(id="u7", get_id=lambda: "fs-uniquifier"), Actor("u7")),
        (User(get_id=lambda: "u7"), Actor("u7")),
        (User(identity="u7"), Actor("u7")),
        (User(id="u7", is_authenticated=False), None),
        (User(id="u7", is_authenticated=lambda: True, email=""), Actor("u7")),
        (User(id="u7", is_authenticated="yes"), None),
    ],
)
def test_users_of_many_kinds_are_understood(user: object, actor: Actor | None) -> None:
    """An id that stays, whatever the login library calls it; and nobody, where it says so."""
    assert actor_of(user) == actor


@pytest.mark.parametrize("user", ["u7", 7, {"id": "u7"}, ("u7",), User(), User(id=True), User(id=7.5), b"u7"])
def test_what_is_no_user_is_refused(user: object) -> None:
    """A mistake of the application is an error, not nobody."""
    with pytest.raises(InvalidInput, match="user_of"):
        actor_of(user)


# -- the token --------------------------------------------------------------------------------


def minted(action: str = "org.delete") -> str:
    """A token for *action*, as a finished challenge mints it."""
    site = Site()
    challenge = site.started(action)
    answer = site.call("POST", f"/challenges/{challenge}/attempts", {"method": "password", "response": "right"})
    return str(answer.json["grant"]["token"])


def test_the_token_comes_in_its_header_or_from_where_the_application_says() -> None:
    """``StepUp-Token``, or ``token_from``."""
    assert a_site().visit(a_request(stepup_token="t"), OLIVIA).token("org.delete") == "t"
    assert a_site().visit(a_request(), OLIVIA).token("org.delete") is None
    site = a_site(token_from=lambda request: request.headers.get("x-proof"))
    assert site.visit(a_request(x_proof="t", stepup_token="u"), OLIVIA).token("org.delete") == "t"


@pytest.mark.requirement("B-01", "B-04")
def test_the_grants_cookie_is_for_one_post_of_this_site() -> None:
    """Only the post of a page of this site, for the very action, takes it; and it is gone with that post."""
    site, cookie = a_site(), f"__Host-stepup-grant={minted()}"
    here = {"origin": ORIGIN, "cookie": cookie}

    taken = site.visit(a_request(**here), OLIVIA)
    assert taken.token("org.delete") == cookie.partition("=")[2]
    assert any(one.startswith("__Host-stepup-grant=; ") for one in taken.set_cookies())

    for request, action in (
        (a_request("GET", **here), "org.delete"),
        (a_request("DELETE", **here), "org.delete"),
        (a_request(**here), "member.role"),
        (a_request(cookie=cookie), "org.delete"),
        (a_request(cookie=cookie, origin="https://evil.example"), "org.delete"),
        (a_request(origin=ORIGIN, cookie=cookie[:-3]), "org.delete"),
        (a_request(origin=ORIGIN, cookie=f"{cookie}; {cookie}"), "org.delete"),
    ):
        visit = site.visit(request, OLIVIA)
        assert visit.token(action) is None
        assert not any("grant" in one for one in visit.set_cookies())


# -- construction -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"prefix": "stepup"}, "prefix="),
        ({"prefix": "/"}, "prefix="),
        ({"prefix": "/a//b"}, "prefix="),
        ({"origin": "app.northstar.example"}, "no origin"),
        ({"origin": "https://app.northstar.example/"}, "no origin"),
        ({"trusted": ["https://*"], "origin": "ftp://x"}, "no origin"),
    ],
)
def test_a_site_has_an_address(options: dict[str, Any], what: str) -> None:
    """A mistake in it is seen at construction."""
    with pytest.raises(ConfigurationError, match=what):
        a_site(**options)


def test_the_origin_that_was_configured_is_the_one() -> None:
    """Behind a proxy, the server does not know what it is called."""
    site = a_site(origin="https://app.northstar.example")
    assert site.visit(a_request(), OLIVIA).request.origin == "https://app.northstar.example"


def test_a_site_is_built_on_either_face() -> None:
    """The gate may be async."""
    from stepup.stores.memory import AsyncMemoryStore

    gate = AsyncStepUp(actions=(), verifiers=[ScriptedVerifier("password")], store=AsyncMemoryStore(), secret=SECRET)
    assert WebSite(gate).gate is gate


# -- surfaces -----------------------------------------------------------------------------


def test_a_visit_says_how_it_came_in() -> None:
    """A session by cookie is a browser's, a bearer token is its client's; the application knows of others."""

    def surface_of(request: WebRequest) -> str | None:
        return request.headers.get("x-surface")

    plain, told = a_site(), a_site(surface_of=surface_of)
    for site in (plain, told):
        browser, bearer = site.visit(a_request(), OLIVIA), site.visit(a_request(authorization="Bearer x"), OLIVIA)
        assert browser.context is not None
        assert bearer.context is not None
        assert (browser.context.surface, bearer.context.surface) == (Surface.BROWSER, Surface.BEARER)
    key = told.visit(a_request(x_surface="api_key", cookie=header(cookies_of(told.visit(a_request(), OLIVIA)))), OLIVIA)
    assert key.context is not None
    assert (key.context.surface, key.context.session, key.context.device) == (Surface.API_KEY, None, None)
    assert key.set_cookies() == ()
    assert key.request.rotate is None
    tokened = told.visit(a_request(x_surface="job", authorization="Bearer x"), OLIVIA)
    assert tokened.context is not None
    assert tokened.context.session is not None
    assert tokened.context.surface is Surface.JOB
    # nobody can sign in on one, and a surface that there is not lets nobody in
    with pytest.raises(InvalidInput):
        key.signed_in(OLIVIA, ["password"])
    with pytest.raises(InvalidInput, match="surface_of"):
        told.visit(a_request(x_surface="fax"), OLIVIA)
    # the client's word alone says nothing
    unheard = plain.visit(a_request(x_surface="api_key"), OLIVIA).context
    assert unheard is not None
    assert unheard.surface is Surface.BROWSER


def test_a_program_is_refused_with_what_it_can_do_instead() -> None:
    """The documented problem, in words for whoever made the call; a person's browser is asked as ever."""
    site = a_site(surface_of=lambda request: request.headers.get("x-surface"))
    program, person = site.visit(a_request(x_surface="api_key"), OLIVIA), site.visit(a_request(), OLIVIA)

    def blocked(visit: Visit) -> tuple[int, dict[str, Any]]:
        with pytest.raises(Refused) as raised:
            cast("StepUp", site.gate).require("member.role", visit.known)
        made = site.refusal(visit, raised.value)
        return made.status, json.loads(made.body)

    status, problem = blocked(program)
    assert (status, problem["code"]) == (403, "action_blocked")
    assert problem["reasons"] == [{"reason": "surface_refused", "surface": "api_key"}]
    assert "terminal" in problem["detail"]
    assert "offer" not in problem
    assert blocked(person)[1]["code"] == "verification_required"
