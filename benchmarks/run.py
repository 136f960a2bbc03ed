"""One benchmark from start to end."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.background import Background
from benchmarks.cycle import CycleRuns, run_cycles
from benchmarks.groups import MANY, Group, fill_group, measure_group
from benchmarks.growth import growth_milliseconds
from benchmarks.in_process import surface_microseconds
from benchmarks.lists import Listing, measure_list
from benchmarks.measuring import Server
from benchmarks.plan import Plan
from benchmarks.processes import peak_mebibytes, resident_mebibytes
from benchmarks.profiling import profile_by_layer
from benchmarks.progress import say
from benchmarks.results import Comparison, Imports, Memory, Results
from benchmarks.servers import RunningService, our_service, reference_server
from benchmarks.start_up import seconds_to_first_request, seconds_to_import

_PARALLEL = 16
_WARM_UP = 20


async def run(plan: Plan) -> Results:
    """Return the figures of one run."""
    say("starting our service and scim2-server")
    with our_service() as service, reference_server() as reference:
        load = _Load(plan, service, reference)
        await load.prepare_small()
        sequential, parallel = await load.cycles(1, plan.cycles), await load.cycles(_PARALLEL, plan.parallel_cycles)
        await load.prepare_large()
        sizes = await load.sizes()
        groups = await load.groups()
        lists = await load.lists()
        await load.background.close()
        memory = Memory(resident_mebibytes(service.app_pid), peak_mebibytes(service.app_pid))
        requests, relayed = service.storage_requests(), load.background.relay_cost
    say("profiling by layer")
    profile = await profile_by_layer(plan.cycles, plan.profile_rounds)
    say("measuring the provisioning surface alone")
    surface = await surface_microseconds(plan.surface_users, plan.rounds)
    growth = await growth_milliseconds(plan.rounds)
    say("importing in fresh interpreters")
    imports = Imports(seconds_to_import(plan.imports), seconds_to_first_request(plan.imports))
    return Results(
        plan,
        sequential,
        parallel,
        sizes,
        groups,
        lists,
        requests,
        relayed,
        memory,
        imports,
        surface,
        growth,
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

    async def prepare_small(self) -> None:
        """Warm the servers up, and fill the small directory: the only one there is, as the emulator scans them all."""
        for server in (self._small, self._large, self._reference):
            await run_cycles(server, _WARM_UP, 1)
        say(f"filling a directory of {self._plan.small_directory:,} users")
        await self.background.seed(self._directory_ids[0], self._plan.small_directory)
        await self._settle()

    async def prepare_large(self) -> None:
        """Fill the large directory, with users to spare who will be no members."""
        say(f"filling a directory of {self._plan.large_directory:,} users")
        self._large_ids = await self.background.seed(self._directory_ids[1], self._plan.large_directory + MANY)
        await self._settle()

    async def cycles(self, concurrency: int, users: int) -> Comparison:
        """Return the cycle on our service and on the reference."""
        ours = CycleRuns(f"ours, {self._plan.small_directory:,} users", concurrency)
        theirs = CycleRuns("scim2-server in memory", concurrency)
        await self._rounds([(ours, self._small), (theirs, self._reference)], users)
        return Comparison(ours, theirs)

    async def sizes(self) -> Comparison:
        """Return the cycle in the large directory and in the small one."""
        large = CycleRuns(f"ours, {self._plan.large_directory:,} users", 1)
        small = CycleRuns(f"ours, {self._plan.small_directory:,} users beside them", 1)
        await self._rounds([(large, self._large), (small, self._small)], self._plan.cycles)
        return Comparison(large, small)

    async def _rounds(self, subjects: Sequence[tuple[CycleRuns, Server]], users: int) -> None:
        """Let subjects take turns, so that they meet the same noise."""
        for number in range(self._plan.rounds):
            names = " and ".join(runs.subject for runs, _ in subjects)
            say(f"cycles, {subjects[0][0].concurrency} at once, {names}: round {number + 1} of {self._plan.rounds}")
            for runs, server in subjects:
                runs.rounds.append(await run_cycles(server, users, runs.concurrency))
            await self._settle()

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
