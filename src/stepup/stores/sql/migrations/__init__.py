"""Alembic revisions of the store's schema, for an application's own Alembic to include.

Name this folder beside your own in ``version_locations`` (``stepup.stores.sql:migrations``), with ``path_separator =
newline``: by its default, Alembic would cut the name at the colon and say nothing. The revisions are a branch of their
own with the label ``stepup``, so ``alembic upgrade heads`` brings both, and your own revisions name their ``--head``.
Two options of your ``alembic.ini``
are read: ``stepup_schema`` and ``stepup_table_prefix``, as given to ``SQLStore``.

A revision is never changed once released, and does not use today's metadata: it says what that version was.
"""
