"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.forward_proxy import VARIABLES

# How long an example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# The stand-ins are on this machine, with authorities of their own.
for name in VARIABLES:
    os.environ.pop(name, None)
