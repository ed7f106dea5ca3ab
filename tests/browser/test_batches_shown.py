"""Bundles and counted grants in the dialog: every item is read before anything is proved."""

from __future__ import annotations

import json

from browser_visitor import Visitor
from playwright.sync_api import expect


def test_the_dialog_lists_every_item_and_opens_them_once(visitor: Visitor) -> None:
    """As text, whatever stands in it; and the page's own call goes through with all of them."""
    visitor.call("/batch")
    expect(visitor.dialog).to_contain_text("These 2, each once")
    lines = visitor.page.locator("stepup-dialog [part=items] li")
    expect(lines).to_have_text(
        ["Delete organization, organization: Northstar (org_7), keep: <b>nothing</b>", "Change a role, member: m_1"]
    )
    visitor.password()
    (answer,) = visitor.answers()
    assert answer["status"] == 200
    assert json.loads(answer["text"]) == {"did": ["org.delete", "member.role"]}


def test_the_dialog_says_what_the_resource_is_called(visitor: Visitor) -> None:
    """For a single call as for those of a bundle: its label and its id, as text; the id alone where it has no label."""
    visitor.call("/do/org.delete?label=North%3Cb%3Estar")
    row = visitor.page.locator("stepup-dialog dt", has_text="organization").locator("+ dd").first
    expect(row).to_have_text("North<b>star (org_7)")
    visitor.password()
    assert visitor.answers()[0]["status"] == 200
    visitor.call("/do/member.role")
    expect(row).to_have_text("org_7")


def test_the_dialog_says_how_often(visitor: Visitor) -> None:
    """Before it is agreed to."""
    visitor.call("/batch?uses=25")
    expect(visitor.dialog).to_contain_text("How often")
    expect(visitor.dialog).to_contain_text("up to 25 times")
    visitor.password()
    assert json.loads(visitor.answers()[0]["text"]) == {"left": 24}
