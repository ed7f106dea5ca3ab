"""All actions and policies of a gate, resolved and checked once: ``Registry`` answers the ``Rules`` of an action.

Raising the level can only tighten: the rules are the strictest of every level from the action's own up to the
escalated one. What no verifier, approver or assessor could ever satisfy is refused when the gate is made; errors
name the thing and the remedy.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from . import requirement as req
from .approval import Approvers
from .canonical import canonical_json
from .context import APPROVAL, FRESH_SESSION, RECOVERY_CODE, require_text
from .errors import ConfigurationError, UnknownAction
from .policy import BUNDLE, DEFAULT_POLICIES, Action, Policy, Risk
from .rules import Rules, RulesOf, snapshot_of, stricter, with_approval, without_session
from .surface import Impersonation


class Registry:
    """All actions and policies of a gate, resolved and checked once. Immutable."""

    def __init__(
        self,
        actions: Sequence[Action],
        policies: Mapping[Risk | int | str, Policy] | None = None,
        *,
        methods: Mapping[str, int],
        assessed: bool,
        approvers: Approvers | None = None,
    ) -> None:
        """Check that every action can be decided.

        Args:
            actions: the application's and stepup's own.
            policies: replacements for the default table by level, and named policies.
            methods: the configured methods and their best strength.
            assessed: whether a risk assessor is configured.
            approvers: who may approve what names approval and no approvers of its own.

        Raises:
            ConfigurationError: naming the action or policy and the remedy.
        """
        self._table: dict[Risk, Policy] = dict(DEFAULT_POLICIES)
        self._named: dict[str, Policy] = {}
        self._methods = dict(methods)
        self._approvers = approvers
        for key, policy in (policies or {}).items():
            self._add_policy(key, policy)
            _check_assessed(f"policies[{key!r}]", policy, assessed)
        self._actions: dict[str, Action] = {}
        for action in actions:
            if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
                raise ConfigurationError(f"actions holds a {type(action).__name__}.", remedy="Use Action(...).")
            if action.id == BUNDLE:
                raise ConfigurationError(f"Action {BUNDLE!r} is what bundles are under.", remedy="Use another id.")
            if action.id in self._actions:
                raise ConfigurationError(f"Action {action.id!r} is registered twice.", remedy="Remove one of them.")
            self._actions[action.id] = action
        self.rules: RulesOf = functools.cache(self._rules)
        for action in self._actions.values():
            for level in Risk:
                if level == action.level or (level > action.level and action.escalate is not None):
                    self._check(self.rules(action.id, level), assessed=assessed)
                    if action.impersonating(level) is Impersonation.APPROVE:
                        self._check(self.rules(action.id, level, True), assessed=assessed)

    @property
    def named_policies(self) -> Mapping[str, Policy]:
        """The policies that actions can name."""
        return self._named

    @property
    def actions(self) -> Mapping[str, Action]:
        """Every action by id, in the order registered."""
        return self._actions

    def action(self, action_id: object) -> Action:
        """The action with that id.

        Raises:
            UnknownAction: if nobody registered it.
        """
        found = self._actions.get(action_id) if isinstance(action_id, str) else None
        if found is None:
            raise UnknownAction(
                action_id[:128] if isinstance(action_id, str) else type(action_id).__name__, tuple(self._actions)
            )
        return found

    def _add_policy(self, key: Risk | int | str, policy: Policy) -> None:
        if not isinstance(policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"policies[{key!r}] is a {type(policy).__name__}.", remedy="Use Policy(...).")
        if isinstance(key, str):
            self._named[require_text("policies key", key, limit=64)] = policy
            return
        try:
            self._table[Risk(key)] = policy
        except ValueError:
            raise ConfigurationError(
                f"policies has the key {key!r}.", remedy="Use Risk.LOW to Risk.CRITICAL."
            ) from None

    def _rules(self, action_id: str, level: Risk, approved: bool = False, /) -> Rules:
        action = self._actions[action_id]
        policy = self._own_policy(action)
        for raised in Risk:
            if action.level < raised <= level:
                policy = stricter(policy, self._table[raised])
        if action.requirement is not None:
            own = action.requirement if level == action.level else without_session(action.requirement)
            policy = replace(policy, methods=own or policy.requirement)
        if approved:
            policy = replace(policy, methods=with_approval(policy.requirement))
        snapshot = {**snapshot_of(action, level, policy), "verifiers": self._methods}
        approvers = (action.approvers or self._approvers) if APPROVAL in req.names(policy.requirement) else None
        if approvers is not None:
            snapshot["approvers"] = approvers.as_data()
        digest = hashlib.sha256(b"stepup.rules.v1\0" + canonical_json(snapshot, name="rules")).hexdigest()[:32]
        return Rules(action, level, policy, digest, snapshot, approvers)

    def _own_policy(self, action: Action) -> Policy:
        if action.policy is None:
            return self._table[action.level]
        if isinstance(action.policy, Policy):
            return action.policy
        if action.policy not in self._named:
            raise ConfigurationError(
                f"Action {action.id!r} uses the policy {action.policy!r}.",
                remedy=f"Named policies are: {sorted(self._named) or 'none'}; add it to policies=.",
            )
        return self._named[action.policy]

    def _check(self, rules: Rules, *, assessed: bool) -> None:
        where = f"Action {rules.action.id!r} at level {rules.level.value}"
        policy = rules.policy
        _check_assessed(where, policy, assessed)
        for leaf in req.leaves(policy.requirement):
            if not isinstance(leaf, req.Method):
                continue
            if leaf.name == FRESH_SESSION:
                if not (policy.session_window or leaf.max_age):
                    raise ConfigurationError(
                        f"{where} names fresh_session, but its session_window is 0.",
                        remedy="Set session_window, or method('fresh_session', max_age=...).",
                    )
            elif leaf.name not in self._methods:
                known = sorted([*self._methods, FRESH_SESSION])
                raise ConfigurationError(
                    f"{where} names the method {leaf.name!r}, which no verifier provides.",
                    remedy=f"Add its verifier, or use one of: {', '.join(known)}.",
                )
            elif leaf.name == APPROVAL:
                _check_approval(where, rules)
            elif leaf.name != RECOVERY_CODE and self._methods[leaf.name] < policy.min_strength:
                raise ConfigurationError(
                    f"{where} names {leaf.name!r}, which is weaker than its min_strength {policy.min_strength}.",
                    remedy="Remove the method, or lower min_strength.",
                )


def _check_approval(where: str, rules: Rules) -> None:
    """What others approve is one call, whole: never a group of actions, nor a call of which part is not bound."""
    if rules.approvers is None:
        raise ConfigurationError(
            f"{where} names approval, but nobody may approve it.",
            remedy="Pass approvers=Approvers(...) to the action, or to Approval().",
        )
    if rules.action.group is not None or not {"resource", "params"} <= rules.action.bound:
        raise ConfigurationError(
            f"{where} names approval, but a grant for it would open more than was approved.",
            remedy="Take it out of its group, and bind resource and params.",
        )


def _check_assessed(where: str, policy: Policy, assessed: bool) -> None:
    if policy.blocked and not assessed:
        raise ConfigurationError(
            f"{where} blocks on session risk, but nothing assesses it.", remedy="Pass risk=... to the gate."
        )
