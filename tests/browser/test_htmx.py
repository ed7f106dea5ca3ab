"""The adapter for htmx, by what htmx promises to those who listen: its events, and ``htmx.ajax``."""

from __future__ import annotations

from browser_visitor import Visitor
from playwright.sync_api import expect

TWO = """async () => {
  await import('/stepup/static/htmx.js');
  const elt = document.querySelector('#go');
  globalThis.answers = [];
  globalThis.confirmed = [];
  globalThis.htmx = {ajax: (verb, path, {source, values, headers = {}}) => {
    const question = new CustomEvent('htmx:confirm', {bubbles: true, cancelable: true,
      detail: {elt: source, issueRequest: (skips) => confirmed.push(skips)}});
    source.dispatchEvent(question);
    const xhr = new XMLHttpRequest();
    xhr.open(verb, path);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.onload = () => {
      const requestConfig = {verb, path, elt: source, headers, parameters: values};
      const detail = {xhr, target: source, requestConfig};
      const before = new CustomEvent('htmx:beforeOnLoad', {bubbles: true, cancelable: true, detail});
      if (source.dispatchEvent(before)) answers.push({status: xhr.status, asked: !question.defaultPrevented});
    };
    xhr.send(new URLSearchParams(values));
  }};
  htmx.ajax('post', '/do/org.delete', {source: elt, values: {a: '1'}});
}"""


def test_htmx_2_makes_a_blocked_request_once_more(visitor: Visitor) -> None:
    """The blocked answer is kept from the page; the same request follows with the token, confirmed once."""
    visitor.page.evaluate(TWO)
    visitor.password()
    assert visitor.answers() == [{"status": 200, "asked": False}]
    assert visitor.page.evaluate("confirmed") == [True]
    (done,) = visitor.done
    assert done["body"] == "a=1"


def test_htmx_2_repeats_a_request_once_only(visitor: Visitor) -> None:
    """What is refused again goes to the page as it is."""
    visitor.page.evaluate(
        "() => document.addEventListener('stepup:required', (e) => { e.preventDefault(); e.detail.complete('no'); })"
    )
    visitor.page.evaluate(TWO)
    assert visitor.answers() == [{"status": 403, "asked": False}]
    expect(visitor.dialog).to_be_hidden()


def test_htmx_2_sends_no_token_elsewhere(visitor: Visitor) -> None:
    """A request that began at another site, and was led here, is not made once more there."""
    visitor.page.evaluate(TWO)
    expect(visitor.dialog.get_by_role("tab").first).to_be_visible()
    visitor.page.keyboard.press("Escape")
    found = visitor.page.evaluate(
        """async (path) => {
          const xhr = new XMLHttpRequest();
          await new Promise((on) => { xhr.onload = on; xhr.open('post', '/do/org.delete'); xhr.send(); });
          const requestConfig = {verb: 'post', path, elt: document.body, headers: {}, parameters: {}};
          const options = {bubbles: true, cancelable: true, detail: {xhr, target: document.body, requestConfig}};
          return document.body.dispatchEvent(new CustomEvent('htmx:beforeOnLoad', options));
        }""",
        f"{visitor.world.elsewhere}/foreign",
    )
    assert found is True
    expect(visitor.dialog).to_be_hidden()


def test_htmx_4_is_given_our_fetch(visitor: Visitor) -> None:
    """Before it makes its call; a page that has given its own keeps that."""
    found = visitor.page.evaluate(
        """async () => {
          await import('/stepup/static/htmx.js');
          const given = (fetch) => {
            const ctx = {fetch};
            document.body.dispatchEvent(new CustomEvent('htmx:config:request', {bubbles: true, detail: {ctx}}));
            return ctx.fetch;
          };
          return [given() === stepup.fetch, given(parseInt) === parseInt];
        }"""
    )
    assert found == [True, True]
