"""Speed, measured in one run: ratios to the peers (below 1 is ahead), the limit, growth and memory.

    python -m experiments.benchmark [--peers torch,jax,sklearn] [--quick] [--out DIR]

Every contestant runs in a process of its own, in alternating blocks, so that noise strikes all alike; the figures are
medians.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.benchmark.limit import growth, import_ms, peak_memory, sgemm_rate, step_multiply_adds
from experiments.benchmark.profile import on_threads, profile, show
from experiments.benchmark.ratios import draw_ratios
from experiments.benchmark.stopwatch import Contestant, alternate
from experiments.benchmark.works import ALONE, LAYERS, Work

PEERS = {"torch": ("torch", "torch.compile"), "jax": ("jax",), "sklearn": ("sklearn",)}
BATCHES = (1, 32, 128, 256)
WORKS = [
    *(Work(network, mode, n) for network in ("lenet5", "improved") for mode in ("train", "infer") for n in BATCHES),
    *(Work("perceptron", "train", n) for n in BATCHES),
    Work("perceptron", "epoch", 128),
    Work("wide", "train", 64),
    *(Work(layer, "train", 128) for layer in (*LAYERS, *ALONE)),
]


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    peers = [name for peer in options.peers for name in PEERS[peer] if _installed(peer)]
    print(f"{machine()}; steps a contestant: {options.steps}")
    rows = [
        row for work in WORKS if not options.quick or work.batch in (1, 128) for row in compare(work, peers, options)
    ]
    rows += the_reports_rows(options)
    limit = against_the_limit(rows)
    print(limit["text"])
    results: dict[str, Any] = {"machine": machine(), "steps": options.steps, "rows": rows, "limit": limit}
    if not options.quick:
        results |= {"import_ms": import_ms(), "growth": growth(), "peak_memory_mib": peak_memory()}
        print(json.dumps({key: results[key] for key in ("import_ms", "growth", "peak_memory_mib")}, indent=1))
    for network in ("lenet5", "improved"):
        results[f"profile of {network}"] = profile(network)
        print(show(network, results[f"profile of {network}"]))
        results[f"threads of {network}"] = threads = on_threads(network)
        for name, (ms, worked) in threads.items():
            print(f"  on {name}, {ms:.2f} ms a chunk, {worked:.2f} ms of processor time")
    (options.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    draw_ratios(rows, options.out / "ratios.png")
    print(f"written: {options.out}/results.json and ratios.png")


def compare(work: Work, peers: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one work with all contestants that do it; print and return a row a peer."""
    fitting = [peer for peer in peers if _does(peer, work)]
    if not fitting:
        return []
    steps = max(10, options.steps // 6) if work.network == "wide" or work.mode == "epoch" else options.steps
    seconds = alternate(["ours", *fitting], work, steps)
    return [_row(work, peer, seconds["ours"], seconds[peer]) for peer in fitting]


def the_reports_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the report's algorithm at batch 128, and the cited code's on two images, scaled to 128."""
    work = Work("lenet5", "train", 128)
    ours = alternate(["ours"], work, options.steps)["ours"]
    loops = alternate(["loops"], work, 3, warmup=1)["loops"]
    image_loops = alternate(["image loops"], Work("lenet5", "train", 2), 2, warmup=1)["image loops"]
    scaled = [64 * seconds for seconds in image_loops]
    return [_row(work, "the report's algorithm", ours, loops), _row(work, "the cited code's algorithm", ours, scaled)]


def against_the_limit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the share of the machine's matrix product rate that a step of LeNet-5 reaches at its largest batch."""
    row = max((r for r in rows if r["network"] == "lenet5" and r["mode"] == "train"), key=lambda r: r["batch"])
    rate = sgemm_rate()
    bound = 1e3 * step_multiply_adds("lenet5") * row["batch"] / rate
    text = (
        f"limit: sgemm at 1024 does {rate / 1e9:.0f} G multiply-adds a second; LeNet-5 at batch {row['batch']} is "
        f"{bound:.2f} ms of them, {bound / row['ours_ms']:.0%} of our {row['ours_ms']:.2f} ms"
    )
    return {"text": text, "sgemm_multiply_adds": rate, "bound_ms": bound, "share": bound / row["ours_ms"]}


def machine() -> str:
    """Return the machine in a line."""
    cores = Contestant.cores()
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"


def _row(work: Work, peer: str, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    row = {
        "network": work.network, "mode": work.mode, "batch": work.batch, "peer": peer,
        "ours_ms": 1e3 * median(ours), "theirs_ms": 1e3 * median(theirs), "ratio": median(ours) / median(theirs),
    }  # fmt: skip
    print(
        f"{work.network:<17}{work.mode:<6}{work.batch:>5}  {peer:<27}{row['ratio']:7.3f}"
        f"  ({row['ours_ms']:.3f} / {row['theirs_ms']:.3f} ms)",
        flush=True,
    )
    return row


def _does(peer: str, work: Work) -> bool:
    """scikit-learn's classifier is the perceptron's peer, alone by the epoch; single layers are PyTorch's too."""
    if work.network in (*LAYERS, *ALONE):
        return peer in ("torch", "torch.compile")
    return peer == "sklearn" and work.network == "perceptron" if work.mode == "epoch" or peer == "sklearn" else True


def _installed(peer: str) -> bool:
    if importlib.util.find_spec(peer) is None:
        print(f"{peer} is not installed and left out: pip install 'functional-nn[bench]'")
        return False
    return True


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=_peers, default=list(PEERS), help="any of torch,jax,sklearn (default: all)")
    parser.add_argument("--quick", action="store_true", help="batches 1 and 128 alone, fewer steps, no growth")
    parser.add_argument("--out", type=Path, default=Path("out/benchmark"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    options.steps = 12 if options.quick else 60
    return options


def _peers(text: str) -> list[str]:
    unknown = sorted(set(text.split(",")) - PEERS.keys())
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected some of {','.join(PEERS)}")
    return text.split(",")


if __name__ == "__main__":
    main()
