"""The results on the cost page follow from its prices and assumptions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.documents import document

PAGE = document("docs/cost.md")
MINUTES, USERS = 43_200, 1_000
SWEEPS = MINUTES // 5
ACCOUNT_REQUESTS = 20_000
"""What a storage account answers in a second, as Limits says."""


def numbers(title: str) -> list[float]:
    """Return the second column of a section's table."""
    rows = [line.split(" | ") for line in PAGE.section(title).splitlines() if line.startswith("| ")]
    return [float(cells[1]) for cells in rows[1:]]


GB_SECOND, FREE_GB_SECONDS, MILLION, FREE_EXECUTIONS, STORAGE_10K, GB_MONTH, VAULT_10K, LOG_GB, FREE_LOG = numbers(
    "Prices"
)
(
    MEMORY,
    MONTH,
    CYCLES,
    IDLE_REQUESTS,
    CHANGED_PERCENT,
    CHANGE_REQUESTS,
    CHANGE_STORAGE,
    IDLE_STORAGE,
    RELAY_STORAGE,
    SWEEP_STORAGE,
    SWEEP_SECONDS,
    WATCH_STORAGE,
    VAULT_PAGE,
    LOG_KB,
    LOG_CAP,
    USER_KB,
    CPU_MS,
    BUSY_CORE,
    LOADED_STORAGE,
    LOADED_RELAYS,
    BUSY_ACCOUNT,
) = numbers("Assumptions")


@dataclass(frozen=True)
class Month:
    """What happens in a month."""

    directories: int
    requests: float
    relays: float
    storage: float
    seconds: float
    """Of instances, all together."""

    @property
    def executions(self) -> float:
        return self.requests + self.relays + MINUTES + SWEEPS

    @property
    def vault(self) -> float:
        return MINUTES * math.ceil(self.directories / VAULT_PAGE)

    @property
    def costs(self) -> list[float]:
        log = min(self.executions * LOG_KB / 1e6, LOG_CAP * 30)
        return [
            max(0, self.seconds * MEMORY - FREE_GB_SECONDS) * GB_SECOND,
            max(0, self.executions - FREE_EXECUTIONS) / 1e6 * MILLION,
            self.storage / 1e4 * STORAGE_10K,
            self.directories * USERS * USER_KB / 1e6 * GB_MONTH,
            self.vault / 1e4 * VAULT_10K,
            max(0, log - FREE_LOG) * LOG_GB,
        ]


def background_storage(directories: int) -> float:
    return SWEEPS * SWEEP_STORAGE * directories + MINUTES * WATCH_STORAGE


def ordinary(directories: int) -> Month:
    """Each execution is alone on an instance for the second that is billed, up to one instance all the time."""
    changes = directories * USERS * CHANGED_PERCENT / 100
    idle = directories * CYCLES * IDLE_REQUESTS
    storage = idle * IDLE_STORAGE + changes * (CHANGE_STORAGE + RELAY_STORAGE) + background_storage(directories)
    requests = idle + changes * CHANGE_REQUESTS
    sweep = max(1.0, directories * SWEEP_STORAGE * SWEEP_SECONDS)
    seconds = min(requests + changes + MINUTES + SWEEPS * sweep, MONTH)
    return Month(directories, requests, changes, storage, seconds)


def loaded(directories: int) -> Month:
    requests = directories * 25 * MONTH
    relays = directories * LOADED_RELAYS * MONTH
    storage = requests * LOADED_STORAGE + relays * RELAY_STORAGE + background_storage(directories)
    return Month(directories, requests, relays, storage, instances(directories * 25) * MONTH)


def instances(requests_a_second: float) -> int:
    return math.ceil(requests_a_second * CPU_MS / 1000 / BUSY_CORE)


def shown(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def computed() -> list[str]:
    months = [ordinary(10), ordinary(1_000), loaded(10), loaded(1_000)]
    rates = [month.requests / MONTH for month in months]
    lines = {
        "requests a second, on average": [shown(rate) for rate in rates],
        "instances that are busy": ["1", "1", *(f"{instances(rate):,}" for rate in rates[2:])],
        "storage requests a second": [shown(month.storage / MONTH) for month in months],
        "storage accounts for them": [
            str(math.ceil(month.storage / MONTH / ACCOUNT_REQUESTS / BUSY_ACCOUNT)) for month in months
        ],
    }
    names = ("compute", "executions", "storage requests", "stored data", "Key Vault", "logs")
    costs = [month.costs for month in months]
    lines |= {name: [shown(each[index]) for each in costs] for index, name in enumerate(names)}
    lines["**together**"] = [f"**{shown(sum(each))}**" for each in costs]
    return [f"| {name} | {' | '.join(values)} |" for name, values in lines.items()]


def test_the_results_follow_from_prices_and_assumptions() -> None:
    results = [line for line in PAGE.section("Results").splitlines() if line.startswith("| ")]

    assert results[1:] == computed()
