"""How often a person may try, in numbers.

============================ ======================= ======================================
what                         default                 forgiven by
============================ ======================= ======================================
open challenges              10                      finishing, cancelling, expiry
... others are to approve    10                      the same
challenges opened            100 in an hour          time
sends per action             3 in 10 min, 60 s apart time
failures per factor          10, then locked 15 min  a success with that factor; 24 h; unlock
delay before the next try    5 s after the 5th, ...  as above
consecutive failures, factor 100, then disabled      a success with it; unlock; enrolling anew
guess points per year        90 (totp 2, mail 1)     success: its own challenge's, same factor; unlock
remembered devices           10, each for 30 days    the one used longest ago makes room
============================ ======================= ======================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers above, in one place. Times are seconds."""

    open_challenges: int = 10
    starts: int = 100
    starts_window: int = 3600
    sends: int = 3
    sends_window: int = 600
    resend_after: int = 60
    lock_after: int = 10
    lock_for: int = 900
    lock_at_most: int = 3600
    delays: tuple[int, ...] = (5, 15, 30, 60, 120)
    delay_after: int = 5
    forget_after: int = 86400
    disable_after: int = 100
    guess_budget: int = 90
    trusted_devices: int = 10
    trusted_device_ttl: int = 2592000

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            numbers = value if one.name == "delays" else (value,)
            if not numbers or not all(type(number) is int and number > 0 for number in numbers):
                raise ConfigurationError(f"Limits.{one.name} must be positive whole numbers, not {value!r}.")

    def wait(self, failures: int) -> int:
        """Seconds to wait after that many failures in a row: none, a growing delay, then a growing lock."""
        if failures >= self.lock_after:
            return min(self.lock_for << min(failures - self.lock_after, 16), self.lock_at_most)
        if failures >= self.delay_after:
            return self.delays[min(failures - self.delay_after, len(self.delays) - 1)]
        return 0
