"""The work that the benchmarks measure: full W2L of the SNAP paper's Table 1 on speech-like recordings."""

import numpy as np
import torch

from snaps.datasets import Interval, Recording
from snaps.models import Wav2Letter
from snaps.training import LETTERS

#: Useful floating-point operations a frame in the recording context: backward through the cone, and the frame's
#: share of the forward, in MFLOP.
BACKWARD_MFLOP, FORWARD_MFLOP = 683, 52
PHONEMES = [f"p{number:02d}" for number in range(61)]
FRAME_STEPS, STRIDE = 206, 2


def network(preset: str = "w2l", *, width: int = 256, padding: str = "same") -> Wav2Letter:
    """A network with random weights that predicts letters."""
    torch.manual_seed(0)
    return Wav2Letter(LETTERS, preset, width=width, padding=padding).eval()  # type: ignore[arg-type]


def recordings(n_frames: int, *, frames_each: int = 86, n_groups: int = 61, seed: int = 0) -> list[Recording]:
    """Recordings of about 3 s, as long as TIMIT's, with at least `n_frames` frames in all."""
    generator = np.random.default_rng(seed)
    labels = PHONEMES if n_groups == len(PHONEMES) else [f"g{number}" for number in range(n_groups)]
    steps = FRAME_STEPS + STRIDE * (frames_each - 1)
    made = []
    for number in range(-(-n_frames // frames_each)):
        ends = np.cumsum(generator.uniform(0.04, 0.14, size=steps))
        starts = np.concatenate([[0.0], ends[:-1]])
        tier = [
            Interval(start, end, labels[generator.integers(len(labels))])
            for start, end in zip(starts, ends, strict=True)
            if start < steps * 0.008
        ]
        spectrogram = generator.gamma(2.0, 15.0, size=(128, steps)).astype(np.float32)
        made.append(Recording(f"recording-{number:05d}", spectrogram, tiers={"phoneme": tier}))
    return made


def matrix_product_gflops(device: torch.device, *, size: int = 2048, repeats: int = 10) -> float:
    """Rate of the float32 matrix product, in GFLOP/s."""
    import time

    a, b = torch.randn(2, size, size, device=device)
    for _ in range(2):
        a @ b
    synchronize(device)
    begun = time.perf_counter()
    for _ in range(repeats):
        a @ b
    synchronize(device)
    return 2 * size**3 * repeats / (time.perf_counter() - begun) / 1e9


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
