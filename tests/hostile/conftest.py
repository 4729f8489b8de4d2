"""The network that hostile trees are played to."""

import pytest
import torch

from snaps.models import Wav2Letter


@pytest.fixture(scope="session")
def network() -> Wav2Letter:
    """A network with the frames that `tests.hostile.speech` counts."""
    torch.manual_seed(0)
    return Wav2Letter(("a", "b", "_"), layers=[(4, 5, 2), (3, 3, 1)], n_inputs=128, padding="valid").eval()
