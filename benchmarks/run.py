"""One benchmark from start to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.background import Background
from benchmarks.cycle import CycleRuns, run_cycles
from benchmarks.groups import MANY, Group, fill_group, measure_group
from benchmarks.in_process import surface_microseconds
from benchmarks.lists import Listing, measure_list
from benchmarks.measuring import Server
from benchmarks.plan import Plan
from benchmarks.processes import peak_mebibytes, resident_mebibytes
from benchmarks.profiling import profile_by_layer
from benchmarks.progress import say
from benchmarks.results import Imports, Memory, Results, UserRuns
from benchmarks.servers import RunningService, our_service, reference_server
from benchmarks.start_up import seconds_to_first_request, seconds_to_import

_PARALLEL = 16
_WARM_UP = 20


async def run(plan: Plan) -> Results:
    """Return the figures of one run."""
    say("starting our service and scim2-server")
    with our_service() as service, reference_server() as reference:
        load = _Load(plan, service, reference)
        await load.prepare()
        sequential = await load.cycles()
        parallel = await load.parallel_cycles()
        groups = await load.groups()
        lists = await load.lists()
        await load.background.close()
        memory = Memory(resident_mebibytes(service.app_pid), peak_mebibytes(service.app_pid))
        requests, relayed = service.storage_requests(), load.background.relay_cost
    say("profiling by layer")
    profile = await profile_by_layer(plan.cycles, plan.profile_rounds)
    say("measuring the provisioning surface alone")
    surface = await surface_microseconds(plan.surface_users, plan.rounds)
    say("importing in fresh interpreters")
    imports = Imports(seconds_to_import(plan.imports), seconds_to_first_request(plan.imports))
    return Results(
        plan,
        sequential,
        parallel,
        groups,
        lists,
        requests,
        relayed,
        memory,
        imports,
        surface,
        profile,
    )


class _Load:
    """The load of one run on our service and on the reference."""

    def __init__(self, plan: Plan, service: RunningService, reference: Server) -> None:
        self._plan = plan
        self._small, self._large = service.servers
        self._directory_ids = service.directory_ids
        self._reference = reference
        self._large_ids: Sequence[str] = ()
        self.background = Background(service.connection_string)

    async def prepare(self) -> None:
        """Warm the servers up, and fill the directories."""
        for server in (self._small, self._large, self._reference):
            await run_cycles(server, _WARM_UP, 1)
        small_id, large_id = self._directory_ids
        say(f"filling directories of {self._plan.small_directory:,} and {self._plan.large_directory:,} users")
        await self.background.seed(small_id, self._plan.small_directory)
        self._large_ids = await self.background.seed(large_id, self._plan.large_directory + MANY)
        await self._settle()

    async def cycles(self) -> UserRuns:
        """Return rounds of the cycle, one request at a time."""
        return await self._cycles(UserRuns(*self._subjects(1)), self._plan.cycles)

    async def parallel_cycles(self) -> UserRuns:
        """Return rounds of the cycle, 16 requests at a time."""
        return await self._cycles(UserRuns(*self._subjects(_PARALLEL)), self._plan.parallel_cycles)

    def _subjects(self, concurrency: int) -> Iterator[CycleRuns]:
        small, large = self._plan.small_directory, self._plan.large_directory
        for name in (f"{small:,} users", f"{large:,} users", "scim2-server in memory"):
            yield CycleRuns(name, concurrency)

    async def _cycles(self, runs: UserRuns, users: int) -> UserRuns:
        """Let the subjects take turns in each round."""
        servers, rounds = (self._small, self._large, self._reference), self._plan.rounds
        for number in range(rounds):
            say(f"cycles, {runs.small.concurrency} at once, round {number + 1} of {rounds}")
            for subject, server in zip(runs.subjects(), servers, strict=True):
                subject.rounds.append(await run_cycles(server, users, subject.concurrency))
            await self._settle()
        return runs

    async def groups(self) -> list[Group]:
        """Return the groups after all their rounds."""
        members, others = self._large_ids[:-MANY], self._large_ids[-MANY:]
        groups = []
        for size in self._plan.group_sizes:
            say(f"filling a group of {size:,}")
            groups.append(await fill_group(self._large, members[:size]))
        for number in range(self._plan.rounds):
            say(f"groups, round {number + 1} of {self._plan.rounds}")
            for group in groups:
                await measure_group(self._large, group, others, self._plan.group_repeats)
        return groups

    async def lists(self) -> list[Listing]:
        """Return the listings after all their rounds."""
        await self._settle()
        listings = [Listing(self._plan.small_directory), Listing(self._plan.large_directory)]
        for number in range(self._plan.rounds):
            say(f"lists, round {number + 1} of {self._plan.rounds}")
            for server, listing in zip((self._small, self._large), listings, strict=True):
                await measure_list(server, listing, self._plan.list_repeats)
        return listings

    async def _settle(self) -> None:
        """Relay what the load left in the outboxes, as the service's background work does."""
        for directory_id in self._directory_ids:
            await self.background.catch_up(directory_id)
