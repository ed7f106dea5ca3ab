"""What each field and the dialog tell browsers and assistive technology: attributes, names, descriptions, and colours.

Names and descriptions are those that Chromium computes, as it hands them to a screen reader; attributes are those that
keyboards, autofill and password managers go by. axe asks for few of them, so each stands here by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser_states import LOOKS, busy, chosen, passkey, safe, sent
from browser_visitor import Visitor
from playwright.sync_api import expect

ROOT = "document.querySelector('stepup-dialog').shadowRoot"
CODE = {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code"}
LETTERS = {"type": "text", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
SECRET = {"type": "password", "autocomplete": "current-password"}
FIELDS: dict[str, tuple[Callable[[Visitor], None], dict[str, str], str, str]] = {
    "password": (
        lambda visitor: chosen(visitor, "Password"),
        SECRET,
        "Your password",
        "Uses the password that you sign in with.",
    ),
    "email_code": (sent, CODE, "Code from the mail", "Uses a code that is mailed to you."),
    "totp": (
        lambda visitor: safe(visitor, "Authenticator app"),
        CODE,
        "Code from the app",
        "Uses the code that your app shows now.",
    ),
    "recovery_code": (
        lambda visitor: safe(visitor, "Recovery code"),
        LETTERS,
        "One of your recovery codes",
        "Uses up one of the codes that you keep for emergencies.",
    ),
}
"""How each field is come to; its attributes; its name and its description, before anything is wrong."""
WRONG = "That was not right. Check it, and try again. 4 tries are left."


def told(visitor: Visitor, part: str) -> dict[str, Any]:
    """What Chromium tells assistive technology of one element of the dialog: name, description, properties."""
    cdp = visitor.context.new_cdp_session(visitor.page)
    found = cdp.send("Runtime.evaluate", {"expression": f"{ROOT}.querySelector({part!r})"})["result"]
    tree = cdp.send("Accessibility.getPartialAXTree", {"objectId": found["objectId"], "fetchRelatives": False})
    cdp.detach()
    (node,) = tree["nodes"]
    if node["ignored"]:
        return {}
    own = {name: node.get(name, {}).get("value", "") for name in ("role", "name", "description")}
    return own | {one["name"]: one["value"].get("value") for one in node["properties"]}


def attributes(visitor: Visitor, part: str) -> dict[str, str]:
    found: dict[str, str] = visitor.page.evaluate(
        f"(part) => Object.fromEntries([...{ROOT}.querySelector(part).attributes].map((a) => [a.name, a.value]))", part
    )
    return found


@pytest.mark.parametrize("method", FIELDS)
def test_a_field_says_what_it_is_for_and_takes(visitor: Visitor, method: str) -> None:
    """Exactly these attributes: no length that cuts off spaces, nothing that keeps paste and autofill away."""
    come, own, name, hint = FIELDS[method]
    come(visitor)
    common = {"id": "answer", "part": "input", "required": "", "aria-describedby": "error hint"}
    assert attributes(visitor, "#answer") == common | own
    field = told(visitor, "#answer")
    assert (field["role"], field["name"], field["description"]) == ("textbox", name, hint)
    assert (field["invalid"], field["required"]) == ("false", True)


@pytest.mark.parametrize("method", FIELDS)
def test_a_wrong_answer_is_told_with_the_field(visitor: Visitor, method: str) -> None:
    """What was wrong comes before the hint; the field is invalid, has the focus, and what was typed is selected."""
    come, _, name, hint = FIELDS[method]
    come(visitor)
    field = visitor.dialog.get_by_label(name)
    wrong = "000000" if method != "email_code" else f"{(int(visitor.code()) + 1) % 1_000_000:06}"
    field.fill(wrong)
    field.press("Enter")
    expect(visitor.alert).to_have_text(WRONG)
    now = told(visitor, "#answer")
    assert (now["name"], now["description"], now["invalid"]) == (name, f"{WRONG} {hint}", "true")
    expect(field).to_be_focused()
    assert visitor.page.evaluate(f"{ROOT}.activeElement.selectionEnd") == len(wrong)
    field.fill("")
    field.press("Enter")
    expect(visitor.alert).to_have_text("Fill in this field.")
    assert told(visitor, "#answer")["description"] == f"Fill in this field. {hint}"


def test_the_dialog_has_a_name_and_says_what_is_asked(visitor: Visitor) -> None:
    """By its title, and by the one paragraph that says who asks whom; a wrong answer changes neither."""
    chosen(visitor, "Password")
    who = f"{visitor.who}@northstar.example"
    lead = f"localhost:{visitor.world.port} asks you, {who}, to confirm this:"
    for answer in (None, "not it"):
        if answer:
            visitor.fill(answer)
            expect(visitor.alert).to_have_text(WRONG)
        dialog = told(visitor, "dialog")
        assert (dialog["role"], dialog["name"], dialog["description"]) == ("dialog", "Confirm that it is you", lead)
        assert dialog["modal"] is True


def test_the_regions_are_there_before_anything_is_said_in_them(visitor: Visitor) -> None:
    """A region that comes together with its text is not read out by every screen reader."""
    chosen(visitor, "Password")
    for part, role in (("[part=status]", "status"), ("[part=error]", "alert"), ("[part=timer]", "timer")):
        assert told(visitor, part)["role"] == role
        visitor.page.evaluate(f"globalThis.{role} = {ROOT}.querySelector({part!r})")
    expect(visitor.alert).to_be_empty()
    visitor.fill("not it")
    expect(visitor.alert).to_have_text(WRONG)
    assert visitor.page.evaluate(f"globalThis.alert === {ROOT}.querySelector('[part=error]')")
    assert told(visitor, "[part=timer]").get("live", "off") == "off"


def test_a_password_stands_beside_the_account_it_is_for(visitor: Visitor) -> None:
    """Password managers go by it; nobody else meets it: it is not read, not reached, not seen, not changed."""
    chosen(visitor, "Password")
    account = "[autocomplete=username]"
    assert attributes(visitor, account) == {
        "type": "text", "autocomplete": "username", "name": "username", "readonly": "", "tabindex": "-1",
        "value": f"{visitor.who}@northstar.example",
    }  # fmt: skip
    found = visitor.page.evaluate(
        f"""() => {{ const [account, field] = ['{account}', '#answer'].map((one) => {ROOT}.querySelector(one));
          const box = account.parentElement.getBoundingClientRect();
          return [account.value, account.form === field.form, box.width, box.height,
            !!(account.compareDocumentPosition(field) & Node.DOCUMENT_POSITION_FOLLOWING)]; }}"""
    )
    assert found == [f"{visitor.who}@northstar.example", True, 1, 1, True]
    assert told(visitor, account) == {}


def test_the_button_that_shows_a_password_says_whether_it_does(visitor: Visitor) -> None:
    """By ``aria-pressed``; its name stays."""
    chosen(visitor, "Password")
    show = visitor.dialog.get_by_role("button", name="Show password")
    for pressed, kind in (("false", "password"), ("true", "text"), ("false", "password")):
        expect(show).to_have_attribute("aria-pressed", pressed)
        expect(visitor.dialog.get_by_label("Your password")).to_have_attribute("type", kind)
        show.click()


def test_every_way_is_a_tab_of_its_panel(visitor: Visitor) -> None:
    """The chosen one says which panel is its own; the panel has its name, which is the heading that has the focus."""
    passkey(visitor)
    for name in ("Password", "Code by mail", "Passkey"):
        visitor.choose(name)
        expect(visitor.dialog.get_by_role("heading", name=name)).to_be_focused()
        panel = told(visitor, "[role=tabpanel]")
        assert (panel["role"], panel["name"]) == ("tabpanel", name)
        assert told(visitor, "[role=tab][aria-selected=true]")["name"] == name
        controls = f"({ROOT}.querySelector('[aria-selected=true]').ariaControlsElements ?? [])[0]?.role"
        assert visitor.page.evaluate(controls) == "tabpanel"


def test_remembering_says_what_it_means(visitor: Visitor) -> None:
    """The box has its label, and the warning as its description."""
    chosen(visitor, "Password")
    box = told(visitor, "#remember")
    means = "You are asked less often on it. Not for a computer that others use."
    assert (box["role"], box["name"], box["description"]) == ("checkbox", "Remember this device", means)


def test_a_button_that_waits_says_so_and_stays_in_reach(visitor: Visitor) -> None:
    """``aria-disabled`` and not ``disabled``, which would lose the focus; the form is busy meanwhile."""
    busy(visitor)
    button = told(visitor, "[part=primary]")
    assert (button["name"], button["disabled"]) == ("Checking…", True)
    assert "disabled" not in attributes(visitor, "[part=primary]")
    assert told(visitor, "[part=panel]")["busy"] == 1


def colours(visitor: Visitor, part: str, names: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Computed styles of *part*, and what the system colours that are wanted for them come to here."""
    found: tuple[dict[str, str], dict[str, str]] = visitor.page.evaluate(
        f"""([part, names]) => {{
          const probe = document.body.appendChild(document.createElement('i'));
          probe.style.forcedColorAdjust = 'none';
          const computed = getComputedStyle({ROOT}.querySelector(part));
          const known = {{}}, own = {{}};
          for (const [name, wanted] of Object.entries(names)) {{
            probe.style.color = wanted;
            known[name] = CSS.supports('color', wanted) ? getComputedStyle(probe).color : wanted;
            own[name] = computed[name];
          }}
          probe.remove();
          return [own, known]; }}""",
        [part, names],
    )
    return found


def test_in_forced_colours_what_is_chosen_stands_out(visitor: Visitor) -> None:
    """The system's own colour for it, which is not the one that every other border is forced to."""
    visitor.page.emulate_media(**LOOKS["forced"], reduced_motion="reduce")
    passkey(visitor)
    own, known = colours(visitor, "[role=tab][aria-selected=true]", {"borderTopColor": "Highlight"})
    assert own == known
    other, _ = colours(visitor, "[role=tab][aria-selected=false]", {"borderTopColor": "Highlight"})
    assert other != own


def test_in_forced_colours_what_waits_is_grey(visitor: Visitor) -> None:
    """And not faint: the system's colours are chosen for their contrast."""
    visitor.page.emulate_media(**LOOKS["forced"], reduced_motion="reduce")
    busy(visitor)
    wanted = {"color": "GrayText", "borderTopColor": "GrayText", "opacity": "1"}
    own, known = colours(visitor, "[part=primary]", wanted)
    assert own == known
    other, _ = colours(visitor, "[part=cancel]", wanted)
    assert other["color"] != own["color"]
