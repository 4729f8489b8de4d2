"""Frames a second of the plain way, of captum and of ours in both contexts, beside the machine's matrix product.

Run as ``python -m benchmarks.throughput``. Every way does the same work: full W2L of Table 1 with random weights,
all 13 layers, activation and saliency, grouped by phoneme and by predicted letter, aligned and summed.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil
import torch

import snaps
from benchmarks.rivals import RIVALS
from benchmarks.work import BACKWARD_MFLOP, FORWARD_MFLOP, matrix_product_gflops, network, recordings, synchronize
from snaps.alignment import SALIENCY_METHODS

WANTED = {"D/A": 14.0, "D/B": 10.0, "C/A": 5.0, "D/E": 0.7}


class PeakMemory:
    """Largest resident memory while something runs, in MiB."""

    def __enter__(self) -> Self:
        self._process, self._stop, self.mebibytes = psutil.Process(), threading.Event(), 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.mebibytes = max(self.mebibytes, self._process.memory_info().rss / 2**20)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def timed(run: Callable[[], int], device: torch.device) -> dict[str, float]:
    """Frames, seconds, frames a second and peak memory of one way."""
    with PeakMemory() as memory:
        begun = time.perf_counter()
        frames = run()
        synchronize(device)
        seconds = time.perf_counter() - begun
    return {"frames": frames, "seconds": seconds, "frames_per_second": frames / seconds, "peak_mib": memory.mebibytes}


def ours(
    corpus: list[Any],
    *,
    context: str = "recording",
    padding: str = "valid",
    device: torch.device,
    precision: str = "float32",
    method: str = "sensitivity",
) -> int:
    """Profiles by the package."""
    profiles = snaps.compute_profiles(
        network(padding=padding), corpus, groupings=["phoneme", "predicted"], context=context, ignore=(),
        device=device, precision=precision, aligner=snaps.Aligner(SALIENCY_METHODS[method]()), progress=False,
    )  # fmt: skip
    return int(profiles.attrs["n_frames"])


def where_time_goes(corpus: list[Any], device: torch.device) -> list[tuple[str, float]]:
    """Operations of D that take longest and their shares of its time, from torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        ours(corpus, device=device)
    events = profiled.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    slowest = sorted(events, key=lambda event: -event.self_cpu_time_total)[:12]
    return [(event.key, event.self_cpu_time_total / total) for event in slowest]


def main() -> None:
    """Measure everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2064, help="frames for C and D")
    parser.add_argument("--rival-frames", type=int, default=258, help="frames for A; B has half of them")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="ABCDE", help="which ways to measure")
    parser.add_argument("--precisions", nargs="+", default=["float32"], help="precisions for D")
    parser.add_argument("--methods", nargs="*", default=[], help="saliency methods to measure beside sensitivity in D")
    parser.add_argument("--where", action="store_true", help="say where D's time goes")
    parser.add_argument("--json", type=Path, help="write the numbers to a file")
    options = parser.parse_args()
    device = torch.device(options.device)
    corpus = recordings(options.frames)
    found: dict[str, Any] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "device": str(device)}
    if "E" in options.only:
        found["E"] = {"gflops": matrix_product_gflops(device)}
    for way in "AB":
        if way in options.only:
            some = recordings(options.rival_frames // (1 if way == "A" else 2))
            found[way] = timed(lambda way=way, some=some: RIVALS[way](network(), some), device)
    for way, context in (("C", "frame"), ("D", "recording")):
        if way not in options.only:
            continue
        for precision in options.precisions if way == "D" else ["float32"]:
            name = way if precision == "float32" else f"{way} {precision}"

            def run(corpus: list[Any] = corpus, context: str = context, precision: str = precision) -> int:
                return ours(corpus, context=context, device=device, precision=precision)

            run(corpus[:2])
            found[name] = timed(run, device)
    for method in options.methods:

        def run_method(corpus: list[Any] = corpus, method: str = method) -> int:
            return ours(corpus, device=device, method=method)

        run_method(corpus[:2])
        found[f"D {method}"] = timed(run_method, device)
    if "E" in options.only:
        again = matrix_product_gflops(device)
        found["E"]["gflops_afterwards"] = again
    report(found)
    if options.where:
        print("\nwhere D's time goes")
        for name, share in where_time_goes(corpus[:6], device):
            print(f"  {share:6.1%}  {name}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


def report(found: dict[str, Any]) -> None:
    """Print frames a second, ratios, and D's share of the matrix product."""
    print(f"torch {found['torch']}, {found['threads']} threads, {found['device']}")
    for name, result in found.items():
        if isinstance(result, dict) and "frames_per_second" in result:
            print(
                f"{name:26s} {result['frames_per_second']:9.1f} frames/s   {result['frames']:6d} frames in "
                f"{result['seconds']:7.1f} s   peak {result['peak_mib']:6.0f} MiB"
            )
    rate = {name: found[name]["frames_per_second"] for name in "ABCD" if name in found}
    for ratio in ("D/A", "D/B", "C/A"):
        top, bottom = ratio.split("/")
        if top in rate and bottom in rate:
            print(f"{ratio}: {rate[top] / rate[bottom]:.1f} (wanted {WANTED[ratio]:g})")
    for name, result in found.items():
        if name.startswith("D ") and "D" in rate:
            print(f"{name}: {result['frames_per_second'] / rate['D']:.2f} of D")
    if "E" in found and "D" in rate:
        gflops = (BACKWARD_MFLOP + FORWARD_MFLOP) * rate["D"] / 1e3
        best = max(found["E"].values())
        share = f"{gflops / best:.0%} (wanted {WANTED['D/E']:.0%})"
        print(f"E: {best:.0f} GFLOP/s; D does {gflops:.0f} useful GFLOP/s: {share}")


if __name__ == "__main__":
    main()
