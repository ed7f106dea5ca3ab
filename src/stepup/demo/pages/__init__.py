"""The demo's pages, one module for each part of the navigation: ``account``, ``factors``, ``workspace``, ``desk``.

Each has ``routes(site)``. A route is made of permission first (``site.signed_in``, ``site.managing``), proof second
(``guard``, or ``require`` where the call has to be read before it can be said what it is), and the deed last.
"""

from __future__ import annotations
