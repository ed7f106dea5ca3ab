"""What the design promises, a second time: plain dictionaries and ifs, written from the design and not from the code.

It imports nothing of stepup. Time is a number of seconds that only grows. ``test_state_machine`` counts its lines.
"""

from collections import defaultdict
from typing import Any

STRENGTH, POINTS = {"password": 20, "totp": 30, "email_code": 10}, {"totp": 2, "email_code": 1}
ATTEMPTS, OPEN_MOST, CHALLENGE_LIFE, CODE_LIFE, YEAR = 5, 10, 300, 90, 365 * 86400
RESEND, SENDS, SENDS_WINDOW, FORGET, DISABLE, BUDGET = 60, 3, 600, 86400, 9, 15
WAITS = (0, 0, 0, 5, 15, 900, 1800)  # seconds after so many failures in a row
Who = tuple[str, str]
Call = tuple[str, str, int]
Entry = dict[str, Any]
FRESH = {"low": (1800, 43200), "medium": (300, 1800), "never": (0, 0)}  # everywhere, on a trusted device
ROW = ("fresh", "needs", "life", "uses", "token", "group")
ACTIONS: dict[str, Entry] = {
    "note.read": dict(zip(ROW, ("low", "any", 600, None, False, None), strict=True)),
    "member.remove": dict(zip(ROW, ("medium", "any", 600, None, False, None), strict=True)),
    "key.rotate": dict(zip(ROW, ("never", "strongest", 300, None, False, None), strict=True)),
    "organization.delete": dict(zip(ROW, ("never", [{"totp"}, {"email_code"}], 120, 1, True, None), strict=True)),
    "voucher.print": dict(zip(ROW, ("never", [{"password"}, {"email_code"}], 300, 3, False, None), strict=True)),
    "payout.once": dict(zip(ROW, ("never", [{"password"}], 300, 1, False, None), strict=True)),
    "data.export": dict(zip(ROW, ("never", [{"password", "totp"}], 300, None, False, None), strict=True)),
    "sudo.strong": dict(zip(ROW, ("never", "strongest", 300, None, False, "sudo"), strict=True)),
    "sudo.weak": dict(zip(ROW, ("never", "any", 600, None, False, "sudo"), strict=True)),
}


class Model:
    def __init__(self, held: dict[str, set[str]], login: dict[Who, int]) -> None:
        self.held, self.login, self.now, self.looked = held, dict(login), 0, 0
        self.challenges, self.grants = dict[int, Entry](), dict[int, Entry]()
        self.epoch, self.proofs = defaultdict[Any, int](int), dict[Who, tuple[Any, dict[str, tuple[int, int]]]]()
        self.fails = dict[Who, tuple[int, int, int, int]]()  # failures in the window, in a row, last, locked until
        self.guesses, self.sends = list[tuple[str, Any, int, int]](), list[tuple[Who, int]]()

    def epochs(self, who: Who) -> tuple[int, int]:
        return self.epoch[who[0]], self.epoch[who]

    def ways(self, actor: str, name: str) -> list[set[str]]:
        held, needs = self.held[actor], ACTIONS[name]["needs"]
        if needs == "strongest":
            return [{max(held, key=lambda method: STRENGTH[method])}]
        return [{method} for method in held] if needs == "any" else [way for way in needs if way <= held]

    def blocked(self, actor: str, method: str) -> bool:
        _, total, _, until = self.fails.get((actor, method), (0, 0, 0, 0))
        spent = sum(points for who, _, at, points in self.guesses if who == actor and self.now - at < YEAR)
        return total >= DISABLE or self.now < until or (method in POINTS and spent + POINTS[method] > BUDGET)

    def state(self, c: Entry) -> str:
        return "expired" if c["state"] == "open" and self.now >= c["ends"] else str(c["state"])

    def stands(self, who: Who, c: Entry) -> bool:
        return bool(c["who"] == who and self.state(c) == "open" and c["epochs"] == self.epochs(who))

    def open_of(self, actor: str) -> list[Entry]:  # a revoked one keeps its place until its time is over
        return [c for c in self.challenges.values() if c["who"][0] == actor and self.state(c) == "open"]

    def start(self, who: Who, call: Call) -> int | None:
        usable = [way for way in self.ways(who[0], call[0]) if not any(self.blocked(who[0], one) for one in way)]
        others = [c for c in self.open_of(who[0]) if (c["who"], c["call"]) != (who, call)]
        if not usable or len(others) >= OPEN_MOST:
            return None
        for c in (one for one in self.open_of(who[0]) if one not in others):
            c["state"] = "superseded"
        new = {"who": who, "call": call, "ends": self.now + CHALLENGE_LIFE, "state": "open", "epochs": self.epochs(who)}
        more = {"allowed": set().union(*usable), "proved": {}, "tries": 0, "code": None, "code_ends": 0}
        self.challenges[len(self.challenges)] = new | more
        return len(self.challenges) - 1

    def answerable(self, who: Who, c: Entry, method: str) -> bool:
        left = [way - set(c["proved"]) for way in self.ways(who[0], c["call"][0]) if way <= c["allowed"]]
        wanted = c["tries"] < ATTEMPTS and any(method in way for way in left)
        return wanted and self.stands(who, c) and not self.blocked(who[0], method)

    def begin(self, who: Who, c: Entry, method: str) -> str:
        recent = [at for one, at in self.sends if one == (who[0], c["call"][0]) and self.now - at < SENDS_WINDOW]
        soon = self.now < max(recent, default=-RESEND) + RESEND
        if not self.answerable(who, c, method) or method != "email_code":
            return "nothing" if self.answerable(who, c, method) else "refused"
        if soon or len(recent) >= SENDS:
            return "same" if soon and c["code"] else "refused"
        self.sends.append(((who[0], c["call"][0]), self.now))
        c |= {"code": (c["code"] or 0) + 1, "code_ends": min(self.now + CODE_LIFE, c["ends"])}
        return "sent"

    def answer(self, who: Who, number: int, method: str, shown: Any, new: str | None = None) -> str:
        c, key = self.challenges[number], (who[0], method)
        if not self.answerable(who, c, method):
            return "refused"
        n, total, last, _ = self.fails.get(key, (0, 0, self.now, 0))
        n = 1 if self.now - last > FORGET else n + 1
        self.fails[key] = (n, total + 1, self.now, self.now + WAITS[min(n, len(WAITS) - 1)])
        self.guesses.append((who[0], (number, method), self.now, POINTS.get(method, 0)))
        self.looked, c["tries"] = self.looked + 1, c["tries"] + 1
        if not (shown == c["code"] and self.now < c["code_ends"] if method == "email_code" else shown is True):
            c["state"] = "failed" if c["tries"] >= ATTEMPTS else "open"
            return "wrong"
        del self.fails[key]
        self.guesses = [guess for guess in self.guesses if guess[1] != (number, method)]
        c["proved"][method] = self.now, number
        if not any(way <= set(c["proved"]) for way in self.ways(who[0], c["call"][0])):
            c["tries"] -= 1
            return "more"
        c["state"], home, rule = "verified", self.rotate(who, new) if new else who, ACTIONS[c["call"][0]]
        tag, known = self.proofs.get(home, (None, {}))
        self.proofs[home] = self.epochs(home), {**(known if tag == self.epochs(home) else {}), **c["proved"]}
        grant = {"who": home, "call": c["call"], "epochs": self.epochs(home), "issued": self.now, "revoked": False}
        more = {"ends": self.now + rule["life"], "left": rule["uses"], "token": True, "proved": set(c["proved"])}
        self.grants[number] = grant | more
        return "verified"

    def cancel(self, who: Who, c: Entry) -> bool:
        before = self.state(c)
        c["state"] = "cancelled" if c["who"] == who and before == "open" else c["state"]
        return before != self.state(c)  # revoked or not: it frees its place

    def opens(self, g: Entry, who: Who, call: Call) -> bool:
        if (g["who"], g["epochs"], g["revoked"]) != (who, self.epochs(who), False) or self.now >= g["ends"]:
            return False
        rule, other = ACTIONS[call[0]], ACTIONS[g["call"][0]]
        if rule["group"] is None or rule["group"] != other["group"]:
            return bool(g["call"] == call and g["left"] != 0)
        enough = any(way <= g["proved"] for way in self.ways(who[0], call[0]))
        return rule is other or (enough and self.now < g["issued"] + rule["life"])

    def require(self, who: Who, call: Call, token: int | None = None, trusted: bool = False) -> list[int] | None:
        """None where the session is fresh enough; else the grants that open the call, with a token at most that one."""
        rule, (tag, proofs) = ACTIONS[call[0]], self.proofs.get(who, (None, {}))
        steps = proofs.values() if tag == self.epochs(who) and token is None else ()
        times = [self.login.get(who, -YEAR), *(at for at, grant in steps if not self.grants[grant]["revoked"])]
        if any(self.now - at < FRESH[rule["fresh"]][trusted] for at in times):
            return None
        if token is None:
            return [] if rule["token"] else [n for n, g in self.grants.items() if self.opens(g, who, call)]
        g = self.grants.get(token)
        return [token] if g is not None and g["token"] and self.opens(g, who, call) else []

    def rotate(self, who: Who, new: str) -> Who:
        home, held = (who[0], new), self.epochs(who)
        for g in self.grants.values():
            if g["who"] == who and g["epochs"] == held:
                g |= {"who": home, "epochs": self.epochs(home), "token": False}
        if who in self.proofs and self.proofs[who][0] == held:
            self.proofs[home] = self.epochs(home), self.proofs[who][1]
        self.epoch[who] += 1
        return home
