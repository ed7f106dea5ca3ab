"""The use cases, as pure functions: ``(snapshot, input, now) -> (Changes, outcome)``.

=============== ==========================================================================
``request``     one call made concrete: action, context, binding, risk, the rules in force
``resolving``   making it, or the calls of a bundle, from what the application passes
``session``     how old the login is, and how old it may be
``shown``       what the person is shown of it
``holding``     what the person can prove now, and what to answer where that is nothing
``authorize``   ``require`` and ``check``: which grant opens a call
``freshness``   what opens one without a grant: a fresh session, a surface, an earlier step-up
``redeeming``   spending a grant, or seeing whether it stands
``start``       opening a challenge
``prepare``     ``begin``: preparing a method, counting what is sent
``answering``   an answer, what was found of it, what comes of it
``acceptance``  whether what a verifier answered is an acceptance, and the proof it makes
``attempt``     reserving an answer, and concluding it: rejecting, adding a part
``minting``     the last right answer: grant, shelf, rotated session
``approval``    what others are to approve: asking for it, what becomes of the request
``approving``   answering such a request: who may not, and what is written
``ballot``      which of the answers count
``revoke``      ending grants, sessions, everything; cancel, unlock, forget
``enrol``       adding, changing and removing factors
=============== ==========================================================================

Nothing here does I/O, reads a clock or draws random numbers: time and fresh ids are arguments. A decision
relies only on records that its changes also put or check.
"""
