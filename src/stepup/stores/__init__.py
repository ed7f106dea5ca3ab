"""Where records live. Every store keeps the contract in ``stepup.ports.Store`` and is proved by the same tests.

================================ ======================================= ===============================
store                            import                                  for
================================ ======================================= ===============================
``MemoryStore``                  ``stepup.stores.memory``                tests, demos, scripts
``AsyncMemoryStore``             ``stepup.stores.memory``                the same, on the async face
================================ ======================================= ===============================

Nothing is imported here, so that one store never drags in another's driver. To write one, start from
``stepup.testing.StoreContract``.
"""
