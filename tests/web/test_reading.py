"""Return addresses and forms: one meaning or none."""

from __future__ import annotations

import pytest
from web_world import ORIGIN

from stepup.web import WebRequest, safe_return
from stepup.web.bodies import MAX_BODY, BadRequest, Intake, read_form
from stepup.web.origins import from_elsewhere

FORM = "application/x-www-form-urlencoded"


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize("address", ["/", "/orgs/7", "/orgs/7?tab=danger#top", "/a//b", "/ä", "/a:b", "/?next=//evil"])
def test_a_path_of_this_site_is_returned_to(address: str) -> None:
    """A path, with whatever query and fragment."""
    assert safe_return(address) == address


@pytest.mark.requirement("B-03")
@pytest.mark.parametrize(
    "address",
    [
        None, 7, "", "evil", "//evil.example", "/////evil.example", "\\\\evil.example", "/\\evil.example",
        "https://evil.example", "https:evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example",
        " /orgs", "/orgs ", "/\u200b/evil.example", "/\u2028", "/a\\b", "http:///evil.example", "/" + "a" * 3000,
        "@evil.example", "/\x00", "data:text/html,x", "/\ud800",
    ],
)  # fmt: skip
def test_anything_else_leads_to_the_fallback(address: object) -> None:
    """Whatever a browser might read as another site is refused, not mended."""
    assert safe_return(address, "/home") == "/home"


def form(body: bytes, content_type: str = FORM) -> WebRequest:
    return WebRequest("POST", "/x", {"content-type": content_type}, body=body, origin=ORIGIN)


def test_a_form_is_read() -> None:
    """Fields by name, blank ones too."""
    assert read_form(form(b"method=totp&response=123+456&note=")) == {
        "method": "totp", "response": "123 456", "note": "",
    }  # fmt: skip
    assert read_form(form(b"")) == {}
    assert read_form(form(b"a=%C3%A4", FORM + "; charset=UTF-8")) == {"a": "ä"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (form(b"a=1&a=2"), 400),
        (form(b"a=%ff"), 400),
        (form(b"\xff=1"), 400),
        (form(b"nothing"), 400),
        (form(b"&".join(b"a%d=1" % n for n in range(40))), 400),
        (form(b"a=" + b"x" * 70_000), 413),
        (form(b"{}", "application/json"), 415),
        (form(b"a=1", FORM + "; charset=latin-1"), 415),
    ],
)
def test_a_form_that_could_mean_two_things_means_none(request_: WebRequest, status: int) -> None:
    """A field twice, bytes that are no text, too many, too much, something else."""
    with pytest.raises(BadRequest) as refused:
        read_form(request_)

    assert refused.value.status == status


@pytest.mark.requirement("B-01")
@pytest.mark.parametrize(
    ("headers", "json", "in_a_form"),
    [
        ({"origin": ORIGIN}, False, False),
        ({"sec-fetch-site": "same-origin"}, False, False),
        ({}, False, True),
        ({"origin": "https://evil.example"}, True, True),
        ({"sec-fetch-site": "cross-site"}, True, True),
        ({"origin": "https://evil.example", "authorization": "Bearer abc"}, False, False),
        ({"origin": "https://evil.example", "authorization": "Bearer "}, True, True),
        ({"origin": "https://evil.example", "authorization": "Basic abc"}, True, True),
    ],
)
def test_where_a_call_comes_from(headers: dict[str, str], json: bool, in_a_form: bool) -> None:
    """A form has to say where it comes from; JSON cannot come from elsewhere unasked; a bearer token is no cookie."""
    request = WebRequest("POST", "/x", headers, origin=ORIGIN)

    assert from_elsewhere(request) is json
    assert from_elsewhere(request, form=True) is in_a_form
    assert not from_elsewhere(WebRequest("GET", "/x", headers, origin=ORIGIN), form=True)


def test_other_origins_can_be_trusted_by_name() -> None:
    """A page of another origin may call where the application says so."""
    request = WebRequest("POST", "/x", {"origin": "https://admin.northstar.example"}, origin=ORIGIN)

    assert from_elsewhere(request)
    assert not from_elsewhere(request, trusted=["https://admin.northstar.example"])


# -- a body as it comes in ---------------------------------------------------------------------


def test_no_more_of_a_body_is_kept_than_shows_that_it_is_too_large() -> None:
    """What is too large is read on to a limit, so that the client can be answered, and thrown away."""
    intake = Intake()
    chunks = 0
    while intake.wants:
        intake.take(bytes(65_536))
        chunks += 1
    assert len(intake.body) == MAX_BODY + 1
    assert chunks == 256


def test_a_body_comes_in_as_it_was_sent() -> None:
    """Whatever its pieces are, up to the limit and not one byte less."""
    intake = Intake()
    for piece in (b"a", b"", b"b" * (MAX_BODY - 1)):
        intake.take(piece)
    assert intake.wants
    assert intake.body == b"a" + b"b" * (MAX_BODY - 1)
