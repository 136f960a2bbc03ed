"""The application that the environment describes, as a command meets it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from scim.composition import Application
from scim.settings import Settings


def in_application(action: Callable[[Application], Any]) -> Any:
    """Return what an action does with the application of the environment."""

    async def act() -> Any:
        application = Application(Settings.from_environment(os.environ))
        try:
            return await action(application)
        finally:
            await application.close()

    return asyncio.run(act())
