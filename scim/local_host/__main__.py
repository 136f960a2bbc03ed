"""``python -m scim.local_host`` serves the app locally; ``--help`` tells how."""

from __future__ import annotations

import logging
import signal
import sys

from scim.local_host.azurite import AzuriteError
from scim.local_host.core_tools import CoreToolsError
from scim.local_host.functions import FunctionsError
from scim.local_host.options import read_options
from scim.local_host.place import PROJECT, PlaceTakenError
from scim.local_host.routing import RouteError
from scim.local_host.run import run
from scim.settings import SettingsError


def main() -> int:
    """Return the exit code of one run; what a person can mend is one line on standard error."""
    options = read_options(sys.argv[1:])
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("azure", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Until the host listens to signals itself, both end the start in the same orderly way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.path.insert(0, str(PROJECT))
    try:
        run(options)
    except KeyboardInterrupt:
        return 130
    except (AzuriteError, CoreToolsError, FunctionsError, PlaceTakenError, RouteError, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
