"""``python -m scim.local_host.azurite`` installs Azurite."""

import sys

from scim.local_host.azurite.install import AzuriteError, install_azurite

if __name__ == "__main__":
    try:
        install_azurite()
    except AzuriteError as error:
        sys.exit(str(error))
