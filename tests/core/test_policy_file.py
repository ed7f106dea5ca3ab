"""Policy files: what they can say, and that everything else is refused with its place and what is allowed there."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup import _policy_models as models
from stepup import policy_file
from stepup.approval import Approvers
from stepup.context import RiskLevel
from stepup.errors import ConfigurationError
from stepup.policy import BINDS, DEFAULT_POLICIES, Action, Policy, Risk
from stepup.registry import Registry
from stepup.requirement import ANY, STRONGEST, all_of, any_of, method
from stepup.surface import Handling, Impersonation, Surface

EXAMPLE = Path(__file__).parents[2] / "examples" / "policies.toml"
POLICY_KEYS = "attempts, base, block_session_risk, challenge_ttl, grant_ttl, max_age, methods, min_strength, remember, "
POLICY_KEYS += "session_window, session_window_trusted, token_required, uses"
APPROVERS = "Allowed: role, people, quorum, apart, step_up, called."
ACTION_KEYS = "approvers, audit_level, binds, confirmation, description, group, impersonation, label, methods, policy, "
ACTION_KEYS += "risk, surfaces, unbinds"
REQUIREMENT = (
    'a method name, "any", "strongest", a list (any of them), { any_of = [...] }, { all_of = [...] } '
    "or { method = ..., max_age = ... }"
)


def policies(**tables: object) -> dict[str, object]:
    return {"policies": tables}


def action(**keys: object) -> dict[str, object]:
    return {"actions": {"org.delete": {"label": "Delete", **keys}}}


def message(data: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        policy_file.from_mapping(data)  # type: ignore[arg-type]  # also what is no mapping
    return str(caught.value)


# -- what a file can say --------------------------------------------------------


def test_the_example_is_the_default_table_and_two_actions() -> None:
    """examples/policies.toml says exactly what the library does without it."""
    file = policy_file.load(EXAMPLE)

    assert dict(file.policies) == dict(DEFAULT_POLICIES)
    assert file.actions == (
        Action(
            "organization.delete",
            "Delete organization",
            risk=Risk.CRITICAL,
            description="The organization, its members and everything they own are gone for good.",
            confirmation="This cannot be undone.",
        ),
        Action(
            "payout.changeAccount",
            "Change the account that payouts go to",
            risk=Risk.HIGH,
            methods=any_of("passkey", all_of("password", method("totp", max_age=60))),
            binds=BINDS - {"device"},
        ),
    )


def test_a_gate_takes_what_a_file_gives() -> None:
    """Actions and policies go into a registry as they are, and cannot be changed on the way."""
    file = policy_file.load(EXAMPLE)

    registry = Registry(
        file.actions, file.policies, methods={"passkey": 50, "totp": 30, "password": 20}, assessed=False
    )

    assert registry.rules("organization.delete", Risk.CRITICAL).policy == DEFAULT_POLICIES[Risk.CRITICAL]
    with pytest.raises(TypeError):
        file.policies[Risk.LOW] = Policy()  # type: ignore[index]


def test_a_level_replaces_only_what_it_names() -> None:
    """The keys of a level stand in its default; the others keep their values."""
    file = policy_file.from_mapping(policies(critical={"grant_ttl": 60, "uses": "unlimited"}))

    assert dict(file.policies) == {
        Risk.CRITICAL: Policy(methods=STRONGEST, grant_ttl=60, uses=None, token_required=True)
    }


def test_a_named_policy_starts_from_nothing_or_from_a_level() -> None:
    """Without a base it is Policy(); with one, the level as this file has it, wherever that stands."""
    file = policy_file.from_mapping(
        policies(
            plain={"attempts": 3},
            payouts={"base": "high", "uses": 1},
            exports={"base": "low", "session_window": 60},
            high={"grant_ttl": 111},
        )
    )

    assert file.policies["plain"] == Policy(attempts=3)
    assert file.policies["payouts"] == Policy(methods=STRONGEST, grant_ttl=111, uses=1)
    assert file.policies["exports"] == Policy(
        methods=ANY, session_window=60, session_window_trusted=43200, grant_ttl=600
    )


def test_every_key_of_a_policy_reaches_it() -> None:
    """Each key, with a value that is no default, is found in the policy under the same name."""
    values: dict[str, object] = {
        "methods": "any", "session_window": 11, "session_window_trusted": 12, "max_age": 13, "grant_ttl": 14,
        "uses": 15, "token_required": True, "challenge_ttl": 33, "attempts": 7, "min_strength": 10,
        "block_session_risk": ["high", "unknown"], "remember": False,
    }  # fmt: skip
    made = policy_file.from_mapping(policies(mine=values)).policies["mine"]

    assert values.keys() == get_type_hints(models.PolicyKeys).keys() - {"base"} == set(Policy.__slots__)
    expected = {**values, "methods": ANY, "block_session_risk": frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})}
    assert {name: getattr(made, name) for name in values} == expected


def test_every_key_of_an_action_reaches_it() -> None:
    """Each key of an action is found in it; binds and unbinds say the same thing from two sides."""
    texts = {"description": "d", "group": "sudo", "confirmation": "c", "audit_level": "full"}
    made = policy_file.from_mapping(
        {**policies(mine={}), **action(**texts, risk=2, policy="mine", methods="totp", binds=["params"])}
    ).actions[0]

    assert made == Action(
        "org.delete", "Delete", Risk.MEDIUM, "d", method("totp"), "mine", frozenset({"params"}), "sudo",
        confirmation="c", audit_level="full",
    )  # fmt: skip
    assert policy_file.from_mapping(action(unbinds=["params"])).actions[0].binds == BINDS - {"params"}
    assert policy_file.from_mapping(action(binds=[])).actions[0].binds == frozenset()
    assert policy_file.from_mapping(action()).actions[0] == Action("org.delete", "Delete")


@pytest.mark.parametrize("level", list(Risk))
def test_a_risk_is_a_word_or_a_number(level: Risk) -> None:
    """Both spellings of a level mean the same."""
    word, number = action(risk=level.name.lower()), action(risk=int(level))

    assert policy_file.from_mapping(word).actions[0].risk is level
    assert policy_file.from_mapping(number).actions[0].risk is level


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("totp", method("totp")),
        ("any", ANY),
        ("strongest", STRONGEST),
        (["totp", "password"], any_of("totp", "password")),
        ({"any_of": ["totp", "passkey"]}, any_of("totp", "passkey")),
        ({"all_of": ["password", ["totp", "passkey"]]}, all_of("password", any_of("totp", "passkey"))),
        ({"method": "totp"}, method("totp")),
        ({"method": "totp", "max_age": 60}, method("totp", max_age=60)),
        ({"any_of": ["passkey", {"all_of": ["password", {"method": "totp", "max_age": 9}]}]},
         any_of("passkey", all_of("password", method("totp", max_age=9)))),
    ],
)  # fmt: skip
def test_a_requirement_is_written_as_it_is_built(written: object, meant: object) -> None:
    """Names, lists, any_of, all_of and methods with an age nest as in Python."""
    assert policy_file.from_mapping(action(methods=written)).actions[0].methods == meant
    assert policy_file.from_mapping(policies(mine={"methods": written})).policies["mine"].methods == meant


def test_toml_json_and_mappings_say_the_same(tmp_path: Path) -> None:
    """The same content in each form gives the same result, from text and from a file, with or without a BOM."""
    data = {**policies(high={"grant_ttl": 9}), **action(risk="high")}
    toml = '[policies.high]\ngrant_ttl = 9\n[actions."org.delete"]\nlabel = "Delete"\nrisk = "high"\n'
    expected = policy_file.from_mapping(data)
    (tmp_path / "p.toml").write_text(toml)
    (tmp_path / "P.JSON").write_bytes(b"\xef\xbb\xbf" + json.dumps(data).encode())

    assert policy_file.loads(toml, format="toml") == expected
    assert policy_file.loads(json.dumps(data), format="json") == expected
    assert policy_file.load(tmp_path / "p.toml") == expected
    assert policy_file.load(str(tmp_path / "P.JSON")) == expected
    assert policy_file.from_mapping({}) == policy_file.PolicyFile((), {})


def test_hooks_are_handed_over() -> None:
    """Functions cannot stand in a file; those given are those of the action."""

    def escalate(*_: object) -> Risk:
        return Risk.CRITICAL

    def describe(*_: object) -> list[tuple[str, str]]:
        return []

    hooks = {"org.delete": {"escalate": escalate, "describe": describe}}
    made = policy_file.from_mapping(action(), hooks=hooks).actions[0]

    assert (made.escalate, made.describe) == (escalate, describe)


# -- what it cannot say ------------------------------------------------------------


def test_a_gap_in_what_is_blocked_is_named() -> None:
    """Whoever blocks a session risk blocks the worse ones too."""
    said = message(policies(mine={"block_session_risk": ["medium"]}))

    assert said.startswith("policy mapping: policies.mine.block_session_risk: blocks ")
    assert "but not ['high', 'unknown']. Block every worse level too" in said


ORG = 'actions."org.delete"'
RISKS = "must be one of low, medium, high, critical, or 1 to 4."
ONE_PROOF = "One proof never covers several critical actions; remove the group or lower the risk."
GOLDEN: Mapping[str, tuple[object, str]] = {
    "a table that does not exist": (
        {"polices": {}}, "polices: unknown key. Did you mean 'policies'? Allowed: actions, policies.",
    ),
    "a key that policies lack": (
        policies(high={"grant_tl": 1}),
        f"policies.high.grant_tl: unknown key. Did you mean 'grant_ttl'? Allowed: {POLICY_KEYS}.",
    ),
    "a key that actions lack": (action(hook=1), f"{ORG}.hook: unknown key. Allowed: {ACTION_KEYS}."),
    "a hook in the file": (action(escalate="x"), f"{ORG}.escalate: unknown key. Allowed: {ACTION_KEYS}."),
    "approvers that are no table": (action(approvers="finance"), f"{ORG}.approvers: must be a table. {APPROVERS}"),
    "approvers that are nobody": (action(approvers={}), f"{ORG}.approvers: must be a table. {APPROVERS}"),
    "approvers with another key": (
        action(approvers={"role": "finance", "may": "x"}), f"{ORG}.approvers: unknown key 'may'. {APPROVERS}"
    ),
    "approvers of another type": (
        action(approvers={"role": "finance", "quorum": True}),
        f"{ORG}.approvers.quorum: is of another type than it must be.",
    ),
    "approvers that cannot be": (
        action(approvers={"role": "finance", "quorum": 11}),
        f"{ORG}.approvers: Approvers.quorum must be an integer from 1 to 10.",
    ),
    "no label": ({"actions": {"org.delete": {}}}, 'actions."org.delete".label: is missing.'),
    "not a mapping": ([], "top level: must be a table."),
    "policies that are no table": ({"policies": []}, "policies: must be a table."),
    "a policy that is no table": (policies(high=3), "policies.high: must be a table."),
    "text for a number": (policies(high={"attempts": "5"}), "policies.high.attempts: must be a whole number."),
    "true for a number": (policies(high={"attempts": True}), "policies.high.attempts: must be a whole number."),
    "a number for a switch": (policies(high={"remember": 1}), "policies.high.remember: must be true or false."),
    "a fraction": (policies(high={"attempts": 5.0}), "policies.high.attempts: must not be a fraction."),
    "a number too small": (
        policies(high={"attempts": 0}), "policies.high.attempts: must be an integer from 1 to 10.",
    ),
    "a number too large": (policies(high={"uses": 2**60}), "policies.high.uses: the number is too large."),
    "null": (
        policies(high={"uses": None}),
        'policies.high.uses: null means nothing here. Leave the key out, or write "unlimited" for no limit.',
    ),
    "another word for unlimited": (
        policies(high={"uses": "many"}), 'policies.high.uses: must be a whole number, or "unlimited".',
    ),
    "unlimited where there is a limit": (
        policies(high={"grant_ttl": "unlimited"}), "policies.high.grant_ttl: must be a whole number.",
    ),
    "a base for a level": (
        policies(high={"base": "low"}), "policies.high.base: a level starts from its own default. Remove the key.",
    ),
    "an unknown base": (
        policies(mine={"base": "mine"}), "policies.mine.base: must be one of low, medium, high, critical.",
    ),
    "an unknown session risk": (
        policies(mine={"block_session_risk": ["high", "dire"]}),
        "policies.mine.block_session_risk[1]: must be one of low, medium, high, unknown.",
    ),
    "no list of session risks": (
        policies(mine={"block_session_risk": "high"}),
        "policies.mine.block_session_risk: must be a list of low, medium, high, unknown.",
    ),
    "a policy name with blanks around it": (
        policies(**{" mine": {}}),
        'policies." mine": the name must not have surrounding white space or control characters.',
    ),
    "an unknown risk": (action(risk="severe"), f"{ORG}.risk: {RISKS}"),
    "a risk of 5": (action(risk=5), f"{ORG}.risk: {RISKS}"),
    "a risk of true": (action(risk=True), f"{ORG}.risk: {RISKS}"),
    "an unknown bind": (
        action(binds=["params", "browser"]),
        'actions."org.delete".binds[1]: must be one of device, organization, params, resource, session.',
    ),
    "binds and unbinds": (
        action(binds=[], unbinds=[]),
        'actions."org.delete": binds and unbinds exclude each other. Remove one of them.',
    ),
    "an unknown policy, of none": (
        action(policy="payouts"),
        f"{ORG}.policy: there is no named policy 'payouts'. The file has none; levels follow from risk.",
    ),
    "an unknown policy, of some": (
        {**policies(b={}, a={}, high={}), **action(policy="high")},
        "actions.\"org.delete\".policy: there is no named policy 'high'. Allowed: a, b.",
    ),
    "a critical group": (
        action(risk="critical", group="sudo"),
        f"{ORG}: Action 'org.delete' is critical and in group 'sudo'. {ONE_PROOF}",
    ),
    "an empty label": ({"actions": {"a": {"label": ""}}}, "actions.a: Action.label must not be empty."),
    "an empty requirement": (
        action(methods=[]), 'actions."org.delete".methods: any_of() and all_of() need at least one method.',
    ),
    "a number for a requirement": (
        action(methods={"any_of": ["totp", 5]}),
        f'actions."org.delete".methods.any_of[1]: this is no requirement. Allowed: {REQUIREMENT}.',
    ),
    "keys that no requirement has": (
        action(methods=[{"method": "totp", "age": 5}]),
        f'actions."org.delete".methods[0]: no requirement has these keys. Allowed: {REQUIREMENT}.',
    ),
    "any_of beside all_of": (
        action(methods={"any_of": ["a"], "all_of": ["b"]}),
        f'actions."org.delete".methods: no requirement has these keys. Allowed: {REQUIREMENT}.',
    ),
    "all_of one text": (action(methods={"all_of": "totp"}), 'actions."org.delete".methods.all_of: must be a list.'),
    "an age of any": (
        action(methods={"method": "any", "max_age": 5}),
        'actions."org.delete".methods.method: must be the name of one method.',
    ),
    "an age in text": (
        action(methods={"method": "totp", "max_age": "60"}),
        'actions."org.delete".methods.max_age: must be a whole number of seconds.',
    ),
    "an age of nothing": (
        action(methods={"method": "totp", "max_age": 0}),
        "actions.\"org.delete\".methods: method('totp'): max_age must be a positive number of seconds.",
    ),
    "a key that is no text": ({1: {}}, "top level: has a key that is not text."),
    "text that is no text": (action(description="\ud800"), f"{ORG}.description: the text is not valid Unicode."),
    "a date": (action(label=date(2026, 6, 11)), 'actions."org.delete".label: must not be a date or time.'),
    "an object": (action(label=object()), 'actions."org.delete".label: must not be of type object.'),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_a_mistake_is_named_with_its_place(name: str) -> None:
    """Each kind of mistake has its sentence: where, what, and what is allowed."""
    data, expected = GOLDEN[name]

    assert message(data) == f"policy mapping: {expected}"


def test_all_mistakes_are_listed_and_no_more_than_twenty() -> None:
    """One run names them all; a file that is wrong throughout does not fill the screen."""
    two = {**policies(high={"attempts": 0}), **action(policy="x", binds=[], unbinds=[])}
    many = policies(**{f"p{number}": {"attempts": 0} for number in range(25)})

    assert message(two) == (
        "policy mapping has 3 mistakes:\n"
        "- policies.high.attempts: must be an integer from 1 to 10.\n"
        "- actions.\"org.delete\".policy: there is no named policy 'x'. The file has none; levels follow from risk.\n"
        '- actions."org.delete": binds and unbinds exclude each other. Remove one of them.'
    )
    assert message(many).count("\n") == 21
    assert message(many).endswith("- and 5 more")


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ('{"policies": {"high": {"uses": 1, "uses": 2}}}', "json", "policies.high.uses: is written twice."),
        ('{"policies": {}, "policies": {}}', "json", "policies: is written twice."),
        ('{"policies": {"high": {"uses": NaN}}}', "json", "is not valid JSON: NaN is no JSON number."),
        ("{} 1", "json", "is not valid JSON: Extra data: line 1 column 4 (char 3)."),
        ("[" * 100_000, "json", "is nested too deeply."),
        ("[]", "json", "top level: must be a table."),
        ('{"policies": ' * 30 + "1" + "}" * 30, "json", "policies.policies.policies: is nested deeper than 24 levels."),
        ("policies = 1\npolicies = 2", "toml", "is not valid TOML: Cannot overwrite a value (at end of document)."),
        ("policies = 2026-06-11", "toml", "policies: must not be a date or time."),
        (f"policies = 0x{'f' * 9000}", "toml", "policies: the number is too large."),
        ("x" * 1_000_001, "toml", "is larger than 1000000 bytes."),
        ("\u20ac" * 400_000, "json", "is larger than 1000000 bytes."),
    ],
)  # fmt: skip
def test_text_that_is_no_file(text: str, form: policy_file.Format, expected: str) -> None:
    """Broken, doubled, bottomless and endless text is refused before anything is made of it."""
    with pytest.raises(ConfigurationError) as caught:
        policy_file.loads(text, format=form)

    assert str(caught.value) == f"policy text: {expected}"


def test_a_number_too_long_to_read_is_refused() -> None:
    """Python refuses to read such a number; that refusal is a configuration error too."""
    with pytest.raises(ConfigurationError, match="is not valid JSON"):
        policy_file.loads('{"policies": ' + "9" * 5000 + "}", format="json")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, foreign, binary and oversized files are refused by name."""
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'")
    (tmp_path / "large.json").write_bytes(b" " * 1_000_001)
    for name, expected in {
        "missing.toml": "missing.toml: cannot be read (No such file or directory).",
        "p.yaml": "p.yaml: unknown format. Name it *.toml or *.json.",
        "nul\0.toml": "nul\0.toml: cannot be read (ValueError).",
        "latin.toml": "latin.toml: is not UTF-8 at byte 5.",
        "large.json": "large.json: is larger than 1000000 bytes.",
    }.items():
        with pytest.raises(ConfigurationError) as caught:
            policy_file.load(tmp_path / name)
        assert str(caught.value) == expected
    with pytest.raises(ConfigurationError, match="format= must be 'toml' or 'json', not 'yaml'"):
        policy_file.loads("", format="yaml")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="policy text: must be text, not bytes"):
        policy_file.loads(b"", format="toml")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hooks", "expected"),
    [
        ({"org.delet": {}}, "hooks['org.delet']: the file has no such action. Allowed: org.delete."),
        ({"org.delete": {"escalade": print}},
         "hooks['org.delete']['escalade']: unknown hook. Allowed: describe, escalate."),
        ({"org.delete": {"escalate": 3}}, "hooks['org.delete']['escalate']: is a int, not a function."),
        ({"org.delete": print}, "hooks['org.delete']: must be a mapping of hook to function."),
    ],
)  # fmt: skip
def test_hooks_that_fit_nothing(hooks: policy_file.Hooks, expected: str) -> None:
    """A hook for an unknown action, an unknown hook, and what is no function are mistakes."""
    with pytest.raises(ConfigurationError) as caught:
        policy_file.from_mapping(action(), hooks=hooks)

    assert str(caught.value) == f"policy mapping: {expected}"


def test_approvers_stand_in_a_file() -> None:
    """All that Python can say of them but a function."""
    rule = {"role": ["finance", "owner"], "quorum": 2, "apart": ["network"], "step_up": False, "called": "finance"}
    made = policy_file.from_mapping({"actions": {"x": {"label": "X", "methods": "approval", "approvers": rule}}})
    assert made.actions[0].approvers == Approvers(**rule)  # type: ignore[arg-type]
    people = {"actions": {"x": {"label": "X", "approvers": {"people": ["usr_1", "usr_2"]}}}}
    assert policy_file.from_mapping(people).actions[0].approvers == Approvers(people=["usr_1", "usr_2"])


def test_the_allowed_words_are_those_of_the_library() -> None:
    """The words that files may use do not drift from what the library knows."""
    assert set(get_args(models.Bind)) == BINDS
    assert set(get_args(models.SessionRisk)) == {level.value for level in RiskLevel}
    assert list(get_args(models.Level)) == [risk.name.lower() for risk in Risk]
    fields = set(Action.__slots__) - {"id", "escalate", "describe"}
    assert set(get_type_hints(models.ActionKeys)) == fields | {"unbinds"}


def test_pydantic_is_loaded_with_the_first_file_only() -> None:
    """Importing the module costs nothing; the models are made once."""
    code = "import stepup.policy_file as p, sys; assert 'pydantic' not in sys.modules; p.from_mapping({})"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    policy_file.from_mapping({})
    before = models._file_model.cache_info().misses
    policy_file.from_mapping({})
    assert models._file_model.cache_info().misses == before == 1


# -- anything at all -----------------------------------------------------------------

WORDS = st.sampled_from(
    ["policies", "actions", "high", "mine", "base", "methods", "uses", "binds", "label", "risk", "any_of", "all_of",
     "method", "max_age", "totp", "unlimited", "policy", "group", "block_session_risk", "unknown", "critical"]
)  # fmt: skip
SCALARS = WORDS | st.integers() | st.booleans() | st.none() | st.floats() | st.text() | st.binary() | st.dates()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text() | st.integers(), inner, max_size=5),
    max_leaves=12,
)
KEYED = st.fixed_dictionaries(
    {},
    optional={
        "policies": st.dictionaries(
            WORDS | st.text(),
            st.fixed_dictionaries({}, optional=dict.fromkeys(get_type_hints(models.PolicyKeys), ANYTHING)),
            max_size=3,
        ),
        "actions": st.dictionaries(
            WORDS | st.text(),
            st.fixed_dictionaries(
                {"label": st.text() | WORDS},
                optional=dict.fromkeys(get_type_hints(models.ActionKeys).keys() - {"label"}, ANYTHING),
            ),
            max_size=3,
        ),
    },
)


@given(ANYTHING | KEYED)
def test_anything_is_a_file_or_a_configuration_error(data: object) -> None:
    """Whatever is handed over, the answer is a policy file or a ConfigurationError that can be printed."""
    try:
        made = policy_file.from_mapping(data)  # type: ignore[arg-type]  # that is the point
        said = ""
    except ConfigurationError as error:
        made, said = policy_file.PolicyFile((), {}), str(error)
    assert said.encode(errors="strict") == said.encode(errors="ignore")
    assert len(said) < 20_000
    assert all(isinstance(one, Action) for one in made.actions)
    assert all(isinstance(one, Policy) for one in made.policies.values())


@given(st.text() | KEYED.map(lambda data: json.dumps(data, default=str)), st.sampled_from(["toml", "json"]))
def test_any_text_is_a_file_or_a_configuration_error(text: str, form: policy_file.Format) -> None:
    """The same for text in either form."""
    with contextlib.suppress(ConfigurationError):
        assert isinstance(policy_file.loads(text, format=form), policy_file.PolicyFile)


def test_surfaces_and_impersonation_stand_in_a_file() -> None:
    """As in ``Action``; what cannot be meant is named with its place."""
    text = """
    [actions.pay]
    label = "Pay"
    surfaces = { job = "ask", api_key = "refuse" }
    impersonation = "prove"
    """
    (action,) = policy_file.loads(text, format="toml").actions
    assert action.handling(Surface.JOB, 4, by_others=False) is Handling.ASK
    assert action.impersonating(4) is Impersonation.PROVE
    for wrong in ('surfaces = { fax = "ask" }', 'surfaces = "job"', 'impersonation = "perhaps"', "impersonation = 1"):
        with pytest.raises(ConfigurationError, match="actions"):
            policy_file.loads(f'[actions.pay]\nlabel = "Pay"\n{wrong}', format="toml")
