"""``python -m benchmarks`` measures the service; ``--help`` tells how."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from benchmarks import large_report
from benchmarks.large import run_large
from benchmarks.plan import FULL, QUICK
from benchmarks.progress import say
from benchmarks.report import as_json, as_text
from benchmarks.run import run


def main() -> None:
    """Run one benchmark; its tables go to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the service on this machine.")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds: within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--users", type=int, metavar="N", help="instead: a directory of so many, such as 100000")
    options = parser.parse_args()
    if options.users:
        sys.stdout.write(large_report.as_text(asyncio.run(run_large(options.users))))
        return
    results = asyncio.run(run(QUICK if options.quick else FULL))
    if options.json:
        options.json.write_text(json.dumps(as_json(results), indent=1), encoding="utf-8")
    say("done")
    sys.stdout.write(as_text(results))


if __name__ == "__main__":
    main()
