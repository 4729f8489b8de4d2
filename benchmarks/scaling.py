"""Growth of time and memory with frames, groups and tapped layers.

Run as ``python -m benchmarks.scaling``. Every measurement is a process of its own, so that its peak memory is its own
too. The network is full W2L of Table 1 in the recording context; recordings are made on request.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import snaps
from benchmarks.work import network, recordings

FRAMES_EACH = 86


class MadeCorpus:
    """Recordings that are made on request, so that none is kept."""

    name = "made"
    fingerprint = "made"

    def __init__(self, n_frames: int, n_groups: int) -> None:
        self.length, self.n_groups = -(-n_frames // FRAMES_EACH), n_groups
        self.asked: list[float] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> snaps.Recording:
        self.asked.append(time.perf_counter())
        return recordings(FRAMES_EACH, n_groups=self.n_groups, seed=index)[0]


def measure(n_frames: int, n_groups: int, layers: list[str] | None, width: int) -> dict[str, Any]:
    """Seconds and peak memory of one run, and the rates of its two halves."""
    corpus = MadeCorpus(n_frames, n_groups)
    begun = time.perf_counter()
    profiles = snaps.compute_profiles(
        network(padding="valid", width=width), corpus, groupings=["phoneme"], layers=layers, ignore=(), progress=False
    )
    seconds = time.perf_counter() - begun
    half = len(corpus.asked) // 2
    first, second = corpus.asked[half] - corpus.asked[0], corpus.asked[-1] - corpus.asked[half]
    return {
        "frames": int(profiles.attrs["n_frames"]),
        "groups": n_groups,
        "layers": len(profiles["phoneme"].children),
        "seconds": seconds,
        "first_half_frames_per_second": half * FRAMES_EACH / first if half else None,
        "second_half_frames_per_second": (len(corpus.asked) - 1 - half) * FRAMES_EACH / second if half else None,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_a_process(**arguments: Any) -> dict[str, Any]:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--measure", json.dumps(arguments)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))  # noqa: S603


def main() -> None:
    """Measure all series, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 5000, 10000, 20000])
    parser.add_argument("--groups", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--group-frames", type=int, default=4000, help="frames of the runs that vary groups and layers")
    parser.add_argument("--out", type=Path, help="folder for scaling.json and scaling.png")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return
    some = {"n_groups": 61, "layers": None, "width": 256}
    few = options.group_frames
    names = list(network().layers)
    series = {
        "frames": [in_a_process(n_frames=number, **some) for number in options.frames],
        # A thousand groups of the full network would not fit into a laptop: a narrow one says the same.
        "groups": [
            in_a_process(n_frames=few, n_groups=number, layers=["input", "conv5", "logits"], width=256)
            for number in options.groups
        ],
        "layers": [
            in_a_process(n_frames=few, **{**some, "layers": layers})
            for layers in (names[-1:], names[-4:], names[5:], names)
        ],
    }
    for axis, results in series.items():
        print(f"\nagainst {axis}")
        for result in results:
            halves = [result[f"{half}_half_frames_per_second"] or float("nan") for half in ("first", "second")]
            print(
                f"  {result[axis]:6d}  {result['seconds']:7.1f} s  {result['frames'] / result['seconds']:7.1f} frames/s"
                f"  (first half {halves[0]:6.1f}, second {halves[1]:6.1f})  peak {result['peak_mib']:6.0f} MiB"
            )
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "scaling.json").write_text(json.dumps(series, indent=2))
        draw(series, options.out / "scaling.png")


def draw(series: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Time and memory against frames, groups and layers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    panels = figure.subplots(2, 3, sharey="row")
    for column, (axis, results) in enumerate(series.items()):
        across = [result[axis] for result in results]
        panels[0, column].plot(across, [result["seconds"] for result in results], marker="o")
        panels[1, column].plot(across, [result["peak_mib"] for result in results], marker="o")
        panels[1, column].set_xlabel(f"number of {axis}")
        if axis == "groups":
            panels[0, column].set_xscale("log")
            panels[1, column].set_xscale("log")
    for panel in panels[:, 0]:
        panel.set_ylim(bottom=0)
    panels[0, 0].set_ylabel("time (s)")
    panels[1, 0].set_ylabel("peak memory (MiB)")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
