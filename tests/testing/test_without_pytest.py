"""The kit for tests is of use where pytest is not: in a script, a demonstration, another runner."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["pytest"] = None
from stepup.testing import FrozenClock, Outbox, ScriptedVerifier, SoftPasskey, check_store, grant
import stepup.testing
try:
    stepup.testing.VerifierContract
except ImportError:
    print("only the contract of verifiers needs it")
print(hasattr(stepup.testing, "nothing"))
"""


def test_the_kit_is_imported_without_pytest() -> None:
    """All of it but ``VerifierContract``, which is made of pytest's fixtures."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)

    assert (run.stdout.splitlines(), run.stderr) == (["only the contract of verifiers needs it", "False"], "")
