"""The run of `experiments.benchmark`: it measures all works, prints their ratios and writes the results."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from experiments.benchmark.limit import cold_start_ms, growth, import_ms, peak_memory, sgemm_rate, step_multiply_adds
from experiments.benchmark.profile import on_threads, profile, show
from experiments.benchmark.ratios import ratios_picture
from experiments.benchmark.starts import fit_start_ms, processes_start_ms
from experiments.benchmark.stopwatch import alternate
from experiments.benchmark.works import ALONE, LAYERS, ON_PROCESSES, Work
from experiments.running.machine import processor
from experiments.showing.files import write_json, write_whole
from functional_nn.training import available_cores

BATCHES = (1, 32, 128, 256)
MODES = ("train", "infer")
QUICK_BATCHES = (1, 128)
STEPS, QUICK_STEPS = 60, 12  # of each contestant, at least
LOOPED_BATCH = 2  # images for the cited code's algorithm, which loops over them
WORKS = [
    *(Work(network, mode, n) for network in ("lenet5", "improved", "perceptron") for mode in MODES for n in BATCHES),
    *(Work(network, "adam", 128) for network in ("lenet5", "perceptron")),
    Work("perceptron", "epoch", 128),
    *(work for work in ON_PROCESSES if work.mode == "fit"),
    Work("wide", "train", 64),
    *(Work(layer, "train", 128) for layer in (*LAYERS, *ALONE)),
]
Comparison = dict[str, Any]  # of one contestant of ours with one peer in one work


def benchmark(peers: list[str], out: Path, *, quick: bool = False, processes: bool = True, rest: bool = True) -> None:
    """Measure all works beside these peers, and write results.json and, where there are peers, ratios.svg.

    With `processes`, some works run on several processes too; without `rest`, only these are measured.
    """
    steps = QUICK_STEPS if quick else STEPS
    print(f"{machine()}; steps a contestant: {steps}")
    works = [work for work in WORKS if (rest or work in ON_PROCESSES) and (not quick or work.batch in QUICK_BATCHES)]
    comparisons = [comparison for work in works for comparison in compare(work, peers, steps, processes=processes)]
    results: dict[str, Any] = {"machine": machine(), "steps": steps, "rows": comparisons}
    if rest:
        results |= _rest(comparisons, peers, steps, quick=quick)
    if processes and not quick:
        starts = {"processes_start_ms": processes_start_ms(), "fit_start_ms": fit_start_ms(Work("lenet5", "fit", 128))}
        print(json.dumps(starts, indent=1))
        results |= starts
    write_json(out / "results.json", results)
    picture = ratios_picture(comparisons)
    if picture is not None:
        write_whole(out / "ratios.svg", picture)
    print(f"written: {out}/results.json{' and ratios.svg' if picture is not None else ''}")


def compare(work: Work, peers: list[str], steps: int, *, processes: bool) -> list[Comparison]:
    """Measure one work with all contestants that can do it; print and return the comparisons.

    Threads are compared with each peer, processes with PyTorch and with threads.
    """
    able = [peer for peer in peers if _does(peer, work)]
    several = processes and work in ON_PROCESSES
    if not able and not several:
        return []
    if work.network == "wide" or work.mode == "epoch":
        steps = max(10, steps // 6)
    if work.mode == "fit":
        steps = max(4, steps // 12)
    names = ["threads", *(["processes"] if several else []), *able]
    # at the pace of a first epoch, which reads its data for the first time, a block would be one epoch: a first one
    seconds = alternate(names, work, steps, warmup=2 if work.mode == "fit" else 5)
    pairs = [("threads", peer) for peer in able]
    pairs += [("processes", peer) for peer in ("torch", "threads") if several and peer in seconds]
    return [_comparison(work, contestant, peer, seconds[contestant], seconds[peer]) for contestant, peer in pairs]


def compare_with_loops(steps: int) -> list[Comparison]:
    """Measure the report's algorithm at batch 128, and the cited code's on two images, scaled to 128."""
    work, few = Work("lenet5", "train", 128), Work("lenet5", "train", LOOPED_BATCH)
    ours = alternate(["threads"], work, steps)["threads"]
    loops = alternate(["loops"], work, 3, warmup=1)["loops"]
    image_loops = alternate(["image loops"], few, 2, warmup=1)["image loops"]
    scaled = [work.batch / few.batch * seconds for seconds in image_loops]
    return [
        _comparison(work, "threads", "the report's algorithm", ours, loops),
        _comparison(work, "threads", "the cited code's algorithm", ours, scaled),
    ]


def against_the_limit(comparisons: list[Comparison]) -> dict[str, Any]:
    """Return the share of the machine's matrix product rate that a training step of LeNet-5 reaches."""
    steps = [c for c in comparisons if (c["network"], c["mode"], c["contestant"]) == ("lenet5", "train", "threads")]
    largest = max(steps, key=lambda c: c["batch"])
    batch, ours_ms = largest["batch"], largest["ours_ms"]
    rate = sgemm_rate()
    bound = 1e3 * step_multiply_adds("lenet5") * batch / rate
    text = (
        f"limit: sgemm at 1024 does {rate / 1e9:.0f} G multiply-adds a second; LeNet-5 at batch {batch} needs "
        f"{bound:.2f} ms at that rate, {bound / ours_ms:.0%} of our {ours_ms:.2f} ms"
    )
    return {"text": text, "sgemm_multiply_adds": rate, "bound_ms": bound, "share": bound / ours_ms}


def machine() -> str:
    """Return the machine in a line: its processor, the instruction sets that NumPy uses, and BLAS's kernel."""
    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return (
        f"{available_cores()} cores, {processor()}, Python {platform.python_version()}, NumPy {np.__version__} with "
        f"{(simd.get('found') or simd.get('baseline') or ['no SIMD'])[-1]}, {blas['internal_api']} {blas['version']} "
        f"with its kernel {blas.get('architecture', 'unknown')}"
    )


def _rest(comparisons: list[Comparison], peers: list[str], steps: int, *, quick: bool) -> dict[str, Any]:
    """Measure what is not a work, and the loops, whose comparisons are added; print and return the results."""
    comparisons += compare_with_loops(steps)
    results: dict[str, Any] = {"limit": against_the_limit(comparisons)}
    print(results["limit"]["text"])
    if not quick:
        more = {"import_ms": import_ms(), "cold_start_ms": cold_start_ms(peers), "growth": growth()}
        more["peak_memory_mib"] = peak_memory()
        print(json.dumps(more, indent=1))
        results |= more
    for network in ("lenet5", "improved"):
        results |= _where_the_time_goes(network)
    return results


def _where_the_time_goes(network: str) -> dict[str, Any]:
    parts, threads = profile(network), on_threads(network)
    print(show(network, parts))
    for name, (ms, worked) in threads.items():
        print(f"  on {name}, {ms:.2f} ms a chunk, {worked:.2f} ms of processor time")
    return {f"profile of {network}": parts, f"threads of {network}": threads}


def _comparison(work: Work, contestant: str, peer: str, ours: list[float], theirs: list[float]) -> Comparison:
    comparison = {
        "network": work.network, "mode": work.mode, "batch": work.batch, "contestant": contestant, "peer": peer,
        "ours_ms": 1e3 * median(ours), "theirs_ms": 1e3 * median(theirs), "ratio": median(ours) / median(theirs),
    }  # fmt: skip
    print(
        f"{work.network:<17}{work.mode:<6}{work.batch:>5}  {contestant:<10}{peer:<27}{comparison['ratio']:7.3f}"
        f"  ({comparison['ours_ms']:.3f} / {comparison['theirs_ms']:.3f} ms)",
        flush=True,
    )
    return comparison


def _does(peer: str, work: Work) -> bool:
    """Return whether a peer can do a work: scikit-learn trains only the perceptron, only PyTorch does single layers."""
    if work.network in (*LAYERS, *ALONE):
        return peer in ("torch", "torch.compile")
    if work.mode == "fit":
        return peer == "torch"
    if work.mode == "adam":
        return peer in ("torch", "torch.compile")
    if work.mode == "epoch" or peer == "sklearn":
        return peer == "sklearn" and work.network == "perceptron"
    return True
