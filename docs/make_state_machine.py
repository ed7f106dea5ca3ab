"""Draw docs/explanation/state-machine.md from ``TRANSITIONS``: ``python docs/make_state_machine.py``.

The page is generated so that it cannot differ from the table; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path

from stepup.challenge import TRANSITIONS, Input, State

PAGE = Path(__file__).parent / "explanation" / "state-machine.md"

STATES = {
    State.OPEN: "Waits for proof. The only state in which anything can happen.",
    State.VERIFIED: "Everything asked for was proved; a grant was minted in the same batch.",
    State.FAILED: "The last answer it takes was wrong. A new challenge forgives none of the failures.",
    State.CANCELLED: "The person, or the application, took it back.",
    State.DENIED: "Somebody who could have approved it refused it.",
    State.EXPIRED: "Its time is over. Never written: it follows from the clock.",
    State.SUPERSEDED: "A newer challenge for the same call took its place. Never written: it follows from the"
    " person's list of open challenges.",
}

INPUTS = {
    Input.BEGIN: "A method is prepared: a code is made and sent, passkey options are given out, or others are asked to"
    " approve. The newest counts.",
    Input.ATTEMPT: "An answer is counted, in a batch of its own, before any verifier looks at it.",
    Input.REJECT: "The answer was wrong, and there are answers left.",
    Input.EXHAUST: "The answer was wrong, and it was the last.",
    Input.PROVE_PART: "The answer was right, and more is asked for.",
    Input.PROVE: "The answer was right, and nothing more is asked for.",
    Input.APPROVE: "Somebody else approved it. What that opens, its requester collects.",
    Input.DENY: "Somebody else refused it.",
    Input.CANCEL: "It is taken back.",
    Input.EXPIRE: "The clock reaches its end.",
    Input.SUPERSEDE: "A challenge for the same call is started.",
}

HEAD = """\
# The challenge as a state machine

<!-- Made by docs/make_state_machine.py from TRANSITIONS in src/stepup/challenge.py. Edit those, not this page. -->

A challenge is one request for fresh proof. Everything that can happen to it stands in one flat table,
`TRANSITIONS`, from a state and an input to the next state. **What is not in the table is refused.** There is no
other rule about it anywhere, and a test walks every pair of state and input.
"""


def diagram() -> str:
    """The table as a Mermaid diagram; inputs that lead to the same state share an arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, given), after in TRANSITIONS.items():
        arrows.setdefault((state, after), []).append(given.value)
    lines = ["stateDiagram-v2", f"    [*] --> {State.OPEN.value}"]
    lines += [f"    {one.value} --> {two.value}: {', '.join(inputs)}" for (one, two), inputs in arrows.items()]
    lines += [f"    {state.value} --> [*]" for state in State if state not in {one for one, _ in TRANSITIONS}]
    return "\n".join(lines)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _after(state: State, given: Input) -> str:
    after = TRANSITIONS.get((state, given))
    return "refused" if after is None else f"`{after.value}`"


def page() -> str:
    """The whole page."""
    moving = [state for state in State if any(one is state for one, _ in TRANSITIONS)]
    pairs = [(f"`{given.value}`", INPUTS[given], *(_after(state, given) for state in moving)) for given in Input]
    final = [state for state in State if state not in moving]
    return "\n".join(
        [
            HEAD,
            "```mermaid\n" + diagram() + "\n```\n",
            "## States\n",
            table(("state", "meaning"), [(f"`{state.value}`", STATES[state]) for state in State]) + "\n",
            "## Inputs\n",
            table(("input", "what happens", *(f"from `{state.value}` to" for state in moving)), pairs) + "\n",
            f"From {', '.join(f'`{state.value}`' for state in final)} every input is refused: these states are final.",
            f"Of {len(State) * len(Input)} pairs of state and input, {len(TRANSITIONS)} are in the table.\n",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
