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


def test_the_dialog_says_how_often(visitor: Visitor) -> None:
    """Before it is agreed to."""
    visitor.call("/batch?uses=25")
    expect(visitor.dialog).to_contain_text("How often")
    expect(visitor.dialog).to_contain_text("up to 25 times")
    visitor.password()
    assert json.loads(visitor.answers()[0]["text"]) == {"left": 24}
