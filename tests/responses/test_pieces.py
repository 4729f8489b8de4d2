"""Long recordings are played in pieces, and epochs do not depend on where they are cut."""

import dataclasses

import numpy as np
import pytest
import torch

from snaps.alignment import Aligner, cut_epochs
from snaps.responses import FrameOptions, make_responder
from tests.definitions.networks import STACKS, random_wav2letter
from tests.definitions.recordings import random_corpus


@pytest.mark.parametrize("longest", [1, 60, 97, 150])
@pytest.mark.parametrize("frame_steps", [None, 30])
@pytest.mark.parametrize("stack", ["strides 2 and 3", "even kernels"])
def test_epochs_do_not_depend_on_where_a_recording_is_cut(stack: str, frame_steps: int | None, longest: int) -> None:
    model = random_wav2letter(STACKS[stack])
    features = torch.from_numpy(random_corpus(0, [211])[0].features)
    whole = make_responder(model, FrameOptions(frame_steps=frame_steps), n_inputs=6)
    pieces = dataclasses.replace(whole, longest_piece=longest)
    expected, found = list(_epochs(whole, features)), list(_epochs(pieces, features))
    assert len(list(whole.play(features))) == 1 < len(list(pieces.play(features)))
    assert [name for name, _, _ in found] != []
    for layer in {name for name, _, _ in expected}:
        for place in (1, 2):
            one = np.concatenate([row[place] for row in expected if row[0] == layer])
            other = np.concatenate([row[place] for row in found if row[0] == layer])
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4, err_msg=layer)


def _epochs(responder, features):
    for piece in responder.play(features):
        frames = torch.arange(len(piece.logits))
        aligner = Aligner()
        for response in piece.respond(frames, lambda logits: logits[:, 0], aligner.methods):
            epochs = cut_epochs(response, aligner.peaks(response))
            covered = torch.where(epochs.covered[:, None], epochs.activation, torch.nan)[epochs.window_of]
            yield response.geometry.name, covered.numpy(), epochs.saliency.numpy()
