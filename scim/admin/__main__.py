"""``python -m scim.admin``."""

import sys

from scim.admin.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
