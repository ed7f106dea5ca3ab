"""What clients get back, as models, for the OpenAPI document.

============= ======================================================================
``document``  what every model is made of
``ceremony``  challenges, prompts, attempts, a preflight
``approvals`` requests for approval
``account``   actions, the session, what is unlocked, the history, remembered devices
``factors``   what is enrolled, and enrolling
``about``     refusals, and the description itself
============= ======================================================================

The answers themselves are made as plain values, by ``documents``, ``problems`` and the calls; the tests hold every one
of them against its model here. No model has a member that an answer does not have, and the other way round.
"""
