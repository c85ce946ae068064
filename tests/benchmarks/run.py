# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: how fast and how small, beside restic and beside a shell pipeline, on the same machine and data.

    tests/environment/run python tests/benchmarks/run.py [--rounds N] [files] [dump] [memory] [index]

Prints a table and writes all measurements as JSON. Ends with exit code 1 when a target is missed. What is compared runs
in turn, A B, then B A, with the data read once before; what is told is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import typing as t
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.dfr.continuity.tests.benchmarks import datasets, index_cache
from ansible_collections.dfr.continuity.tests.benchmarks.measuring import Run, measure
from ansible_collections.dfr.continuity.tests.benchmarks.tools import Continuity, Pipeline, Restic, size_of

MEMORY_LIMIT = 400 << 20
INDEX_MEMORY_LIMIT = 1 << 30
_INDEX = "index of 10 M chunks"
#: Memory that may be needed more for four times the data.
_INDEPENDENT = 1.25


@dataclass
class Line:
    """One line of the table: ours beside theirs, or beside a limit; ``target`` is the most the ratio may be."""

    what: str
    ours: float
    theirs: float
    target: float
    unit: str
    other: str

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def reached(self) -> bool:
        return self.ratio <= self.target


@dataclass
class Report:
    """Everything measured: ``runs`` by what was done and by whom."""

    lines: list[Line] = field(default_factory=list)
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    facts: dict[str, t.Any] = field(default_factory=dict)

    def note(self, what: str, tool: str, run: Run) -> None:
        """Keep one run, and show it."""
        self.runs[what][tool].append(run)
        print(
            f"[bench]   {what:<22} {tool:<11} {run.wall:7.2f} s   CPU {run.cpu:6.2f} s   {run.peak / 1e6:4.0f} MB",
            flush=True,
        )

    def median(self, what: str, tool: str, measure: t.Callable[[Run], float]) -> float:
        """The median over the rounds."""
        return statistics.median(map(measure, self.runs[what][tool]))

    def compare(self, what: str, other: str, target: float) -> None:
        """Add the lines of wall time, with a target, and of processor time, without one."""
        ours, theirs = (self.median(what, tool, lambda run: run.wall) for tool in (Continuity.name, other))
        self.lines.append(Line(what, ours, theirs, target, "s", other))

    def to_json(self) -> dict[str, t.Any]:
        """Everything, for programs."""
        return {
            "facts": self.facts,
            "lines": [{**asdict(line), "ratio": line.ratio, "reached": line.reached} for line in self.lines],
            "runs": [
                {"what": what, "tool": tool, "wall": run.wall, "cpu": run.cpu, "peak": run.peak}
                for what, tools in self.runs.items()
                for tool, runs in tools.items()
                for run in runs
            ],
        }


def in_turn(rounds: int, tools: t.Sequence[t.Any]) -> t.Iterator[t.Sequence[t.Any]]:
    """The tools in their order, then the other way round, and so on."""
    for number in range(rounds):
        print(f"[bench] round {number + 1} of {rounds}", flush=True)
        yield tools if number % 2 == 0 else tools[::-1]


def read_once(root: Path) -> None:
    """Read all files below ``root``, so that no tool reads them first."""
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def use_memory_once() -> None:
    """Touch nine tenths of the free memory, and give it back.

    The host of a virtual machine provides memory at its first use, which takes longer than copying to it; otherwise
    whoever runs first would pay for that.
    """
    print("[bench] touching the memory once", flush=True)
    step = 64 << 20
    size = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 9 // 10
    with mmap.mmap(-1, max(size // step, 1) * step) as memory:
        for start in range(0, len(memory), step):
            memory[start : start + step] = bytes([1]) * step


def bench_files(report: Report, work: Path, rounds: int) -> None:
    """Back up a filestore, back it up again unchanged, restore it."""
    root = datasets.filestore()
    restic = Restic(work)
    report.facts["restic"] = restic.version.strip()
    tools = (Continuity(work), restic)
    read_once(root)
    sizes: dict[str, list[int]] = defaultdict(list)
    for order in in_turn(rounds, tools):
        for tool in order:
            tool.start()
        for what, act in (
            ("filestore, full", lambda tool: tool.back_up(root)),
            ("filestore, unchanged", lambda tool: tool.back_up(root)),
            ("filestore, restore", lambda tool: tool.restore()),
        ):
            for tool in order:
                report.note(what, tool.name, act(tool))
        for tool in tools:
            sizes[tool.name].append(size_of(tool.repository()))
    _check_restored(root, tools[0].restored())
    report.compare("filestore, full", restic.name, 0.4)
    report.compare("filestore, unchanged", restic.name, 0.6)
    report.compare("filestore, restore", restic.name, 0.7)
    ours, theirs = (statistics.median(sizes[tool.name]) / 1e6 for tool in tools)
    report.lines.append(Line("repository size", ours, theirs, 1.02, "MB", restic.name))
    for tool in tools:
        shutil.rmtree(tool.repository().parent)


def _check_restored(root: Path, restored: Path) -> None:
    """Speed counts only when all is there again."""
    wanted, found = ({str(path.relative_to(top)) for path in top.rglob("*")} for top in (root, restored))
    if wanted != found or size_of(root) != size_of(restored):
        raise RuntimeError(f"{restored} is not what {root} was")


def bench_dump(report: Report, work: Path, rounds: int) -> None:
    """Dump a database."""
    name = datasets.database_name()
    with datasets.database_server() as server:
        report.facts["postgresql"] = server.sql("SHOW server_version")[0][0]
        report.facts["database_size"] = server.sql("SELECT pg_database_size(%s)", name)[0][0]
        tools = (Continuity(work), Pipeline(work))
        # Reads the tables once.
        tools[1].back_up_database(server, name)
        for order in in_turn(rounds, tools):
            for tool in order:
                tool.start()
                report.note("dump", tool.name, tool.back_up_database(server, name))
        report.compare("dump", Pipeline.name, 1.05)
        sizes = [size_of(tool.repository()) / 1e6 for tool in tools]
        report.lines.append(Line("dump size", *sizes, 1.3, "MB", Pipeline.name))
    shutil.rmtree(tools[0].repository().parent)


def bench_memory(report: Report, work: Path) -> None:
    """Memory for one, two and four quarters of the data."""
    tool = Continuity(work)
    peaks: dict[str, list[int]] = defaultdict(list)
    with datasets.database_server() as server:
        for fraction in datasets.FRACTIONS:
            root, name = datasets.filestore(fraction), datasets.database_name(fraction)
            tool.start()
            runs = {
                "backup": tool.back_up(root),
                "unchanged": tool.back_up(root),
                "restore": tool.restore(),
                "dump": tool.back_up_database(server, name),
            }
            for what, run in runs.items():
                report.note(f"{what}, {fraction:.0%} of data", tool.name, run)
                peaks[what].append(run.peak)
    for what, found in peaks.items():
        report.lines.append(Line(f"memory, {what}", found[-1] / 1e6, found[0] / 1e6, _INDEPENDENT, "MB", "1/4 of data"))
    shutil.rmtree(tool.repository().parent)


def bench_index(report: Report, work: Path) -> None:
    """The index cache with ten million chunks."""
    run = measure([sys.executable, index_cache.__file__, work])
    found = json.loads(run.output)
    report.facts["index"] = found
    report.note(_INDEX, Continuity.name, Run(run.wall, run.cpu, run.peak))
    report.lines.append(Line("memory, 10 M chunks", found["peak"] / 1e6, INDEX_MEMORY_LIMIT / 1e6, 1.0, "MB", "limit"))
    print(
        f"[bench]   {found['chunks']:,} chunks: built in {found['build']:.0f} s, "
        f"{found['look_ups_per_second']:,.0f} look-ups/s, {found['file'] / 1e6:.0f} MB on disk",
        flush=True,
    )


def conclude(report: Report, path: Path) -> int:
    """Print the table, write the JSON document, return the exit code."""
    peaks = [run.peak for what, tools in report.runs.items() if what != _INDEX for run in tools[Continuity.name]]
    if peaks:
        report.lines.append(Line("peak memory", max(peaks) / 1e6, MEMORY_LIMIT / 1e6, 1.0, "MB", "limit"))
    print(f"\n{'':<22} {'continuity':>12}  {'beside':>12} {'':<12} {'ratio':>6}  {'target':>6}")
    for line in report.lines:
        print(
            f"{line.what:<22} {line.ours:>9.1f} {line.unit:<2}  {line.theirs:>9.1f} {line.unit:<2} {line.other:<12} "
            f"{line.ratio:>6.2f}  {line.target:>6.2f}  {'' if line.reached else 'MISSED'}".rstrip()
        )
    print("\nProcessor time (median) and peak memory:")
    for what, tools in report.runs.items():
        for tool, runs in tools.items():
            cpu, peak = statistics.median(run.cpu for run in runs), max(run.peak for run in runs)
            print(f"{what:<22} {tool:<12} {cpu:>8.1f} s {peak / 1e6:>6.0f} MB")
    path.write_text(json.dumps(report.to_json(), indent=2) + "\n")
    print(f"\nAll measurements: {path}")
    return 0 if all(line.reached for line in report.lines) else 1


def main() -> int:
    """Measure what the arguments say, or everything."""
    everything = ("files", "dump", "memory", "index")
    parser = argparse.ArgumentParser(description="Compare with restic and with a shell pipeline.")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument(
        "--work", type=Path, help="where repositories and restored files go (needs 5 GB, and 5 GB for each round)"
    )
    parser.add_argument("what", nargs="*", choices=(*everything, []), help="what to measure (default: everything)")
    options = parser.parse_args()
    wanted = options.what or everything
    report = Report()
    report.facts.update(
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        python=platform.python_version(),
    )
    use_memory_once()
    with tempfile.TemporaryDirectory(prefix="work-", dir=options.work or datasets.directory()) as work:
        if "files" in wanted:
            bench_files(report, Path(work), options.rounds)
        if "dump" in wanted:
            bench_dump(report, Path(work), options.rounds)
        if "memory" in wanted:
            bench_memory(report, Path(work))
        if "index" in wanted:
            bench_index(report, Path(work))
    return conclude(report, datasets.directory() / "results.json")


if __name__ == "__main__":
    sys.exit(main())
