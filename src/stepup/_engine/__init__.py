"""The one orchestration: load, decide, apply, call the verifier or mailer, apply.

============= ======================================================================
``core``      what a gate is made of, and the two store steps everything consists of
``authorize`` ``require`` and ``check``; ``bundle`` the same of several calls
``question``  what both ask, and what is noted of it; ``spending`` redeems
``start``     opening a challenge; ``offer`` makes and reads offers
``opened``    finding the challenge that an answer is for
``begin``     preparing a method, sending
``verify``    judging an answer
``look``      ``cancel`` and ``challenge``
``asking``    asking others to approve; ``approvals`` is their side, ``electorate`` who they are
``collecting`` ``verify("approval")``: what they approved is collected
``carrying``  requests for approval move with their session
``rotating``  the session's new id, before anything is minted
``factors``   enrolment
``upkeep``    ``revoke``, ``rotated``, ``unlock``, ``forget``, ``events``, ``purge``
============= ======================================================================

Written once as coroutines over async ports and driven by both faces. Nothing here imports an event loop,
sleeps, locks or gathers; nothing here decides: that is ``decide``.
"""
