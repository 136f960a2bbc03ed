"""What the composition asks of telemetry, where it is on."""

from __future__ import annotations

from scim.adapters.tables.table import Table
from scim.adapters.telemetry.instruments import Instruments
from scim.adapters.telemetry.requests import ObservedAuthenticator, ObservedEntry
from scim.adapters.telemetry.secrets import ObservedSecretStore
from scim.adapters.telemetry.tables import ObservedTable
from scim.directories.interfaces import SecretStore
from scim.provisioning.authentication import Authenticates
from scim.service_signals import ServiceSignals
from scim.web import WebRequest


class Telemetry:
    """Puts spans and metrics around the parts of the service."""

    def __init__(self, instruments: Instruments | None = None) -> None:
        """Use the providers that the Functions worker has set up, unless instruments are passed."""
        self._instruments = instruments or Instruments()

    def begin_entry(self, event: str, web: WebRequest, *facts: str) -> ObservedEntry:
        """Return the entry of a request that begins, and open its span."""
        return ObservedEntry(self._instruments, event, web, facts)

    def authenticator(self, authenticator: Authenticates) -> ObservedAuthenticator:
        """Return an authenticator that counts what it knew in memory."""
        return ObservedAuthenticator(authenticator, self._instruments)

    def table(self, name: str, table: Table) -> Table:
        """Return a table whose calls are spans."""
        return ObservedTable(name, table, self._instruments.tracer)

    def secret_store(self, store: SecretStore) -> SecretStore:
        """Return a secret store whose calls are spans."""
        return ObservedSecretStore(store, self._instruments.tracer)

    async def show(self, signals: ServiceSignals) -> None:
        """Show how the sweep went and what it met, and send it at once."""
        self._instruments.show(signals)
        await self._instruments.flush()
