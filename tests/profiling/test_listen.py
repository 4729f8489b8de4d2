"""The one loop over a corpus: every frame once, and every frame that is left out counted once."""

from collections import Counter

import numpy as np
import pytest
import torch

from snaps.alignment import Aligner
from snaps.datasets import Recording, parse_groupings
from snaps.profiling import ByGroupings, Log, Playing, listen, prepared, progress_bar, read
from tests.profiling.runs import network, recordings


@pytest.fixture
def corpus() -> list[Recording]:
    """Recordings of which one has three values that are not finite, and one is too short."""
    found = recordings(6)
    found[1].features[0, [9, 10, 17]] = np.nan
    return found


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_every_frame_is_given_once_or_counted_once(corpus: list[Recording], batch_size: int) -> None:
    model = network()
    kept: Counter[tuple[str, int]] = Counter()
    labelled: Counter[tuple[str, int]] = Counter()
    log = Log()
    playing = Playing(ignore=(model.symbols[1],), batch_size=batch_size)
    with prepared(model, playing, {"": Aligner()}) as ready, progress_bar(corpus, "frames", progress=False) as bar:
        for batch in listen(ready, read(corpus, log, bar=bar), ByGroupings(parse_groupings(["phoneme"])), log=log):
            found = batch.by_layer(lambda response, peaks: (response.cone, peaks.step))
            for cone, step in found[""].values():
                assert len(cone) == len(step) == len(batch.frames)
                assert bool(torch.isfinite(cone).all())
            where = [(batch.recording.id, int(batch.played.piece.first + frame)) for frame in batch.frames]
            kept.update(where)
            labelled.update(at for at, label in zip(where, batch.labels["phoneme"], strict=True) if label is not None)
            assert batch.predicted.tolist() == [model.symbols[int(n)] for n in batch.logits.argmax(dim=1)]
            assert sum(batch.groups.values()) == int(batch.members.sum())
    width, hop = model.receptive_field, model.stride
    n_frames = {one.id: max(0, (one.n_steps - width) // hop + 1) for one in corpus}
    broken = {
        (one.id, frame)
        for one in corpus
        for frame in range(n_frames[one.id])
        if not np.isfinite(one.features[:, frame * hop : frame * hop + width]).all()
    }
    assert broken and not broken & set(kept)
    assert set(kept.values()) == {1}
    counts = {reason: by["phoneme"] for reason, by in log.drops.to_dict()["counts"].items()}
    assert counts["non-finite"] == len(broken)
    assert counts["short"] == sum(number == 0 for number in n_frames.values()) > 0
    assert counts["ignored"] > 0
    assert log.n_frames + counts["ignored"] + counts["non-finite"] == sum(n_frames.values())
    assert log.n_frames - counts["unlabelled"] == len(labelled)
    assert log.n_recordings == len(corpus)


def test_the_network_is_left_as_it_was(corpus: list[Recording]) -> None:
    model = network().train()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with prepared(model, Playing(), {"": Aligner()}) as ready, progress_bar(corpus, "frames", progress=False) as bar:
        batches = listen(ready, read(corpus, Log(), bar=bar), ByGroupings(parse_groupings(["phoneme"])), log=Log())
        with pytest.raises(ZeroDivisionError) as raised:
            next(batches).by_layer(fail)
    assert raised.value.__notes__ == [f"while recording {corpus[0].id!r} was played"]
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
