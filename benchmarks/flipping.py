"""Time of pixel flipping, compared with that of the forward passes that it needs.

Run as ``python -m benchmarks.flipping``. Every frame is flipped at ten percentages in three orders: thirty forward
passes a frame.
"""

import argparse
import time

import torch

from benchmarks.work import FRAME_STEPS, network, recordings
from snaps.faithfulness import evaluate_faithfulness


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200, help="frames to flip")
    parser.add_argument("--plain", type=int, default=640, help="plain forward passes that are timed")
    options = parser.parse_args()
    corpus = recordings(options.frames, frames_each=50)
    begun = time.perf_counter()
    found = evaluate_faithfulness(
        network(padding="valid"), corpus, parts=["flipping"], frames=options.frames, random_orders=1, ignore=(),
        progress=False,
    )  # fmt: skip
    ours = time.perf_counter() - begun
    n_frames = int(found["flipping"].attrs["n_frames"])
    plain, frames = network(), torch.rand(64, 128, FRAME_STEPS)
    with torch.inference_mode():
        plain(frames)
        begun = time.perf_counter()
        for _ in range(options.plain // 64):
            plain(frames)
        each = (time.perf_counter() - begun) / (options.plain // 64 * 64)
    needed = 30 * n_frames * each
    print(f"{n_frames} frames flipped in {ours:.1f} s; {30 * n_frames:,} plain forward passes take {needed:.1f} s")
    print(f"ratio {ours / needed:.2f} (wanted at most 10)")


if __name__ == "__main__":
    main()
