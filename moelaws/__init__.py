"""Scaling and serving laws of mixture-of-experts language models.

What most people need is here: :func:`fit`, :func:`compare`, :func:`model`, :func:`claims` and :func:`load`. The rest
stands in its room: ``laws``, ``models``, ``fitting``, ``serving``, ``data``, ``ledger`` and ``papers``. A name is
imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
