"""``python -m scim.maintenance``."""

import sys

from scim.maintenance.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
