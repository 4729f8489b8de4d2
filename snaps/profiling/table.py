"""The frame table: one row a frame, with its prediction and its labels."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from snaps.datasets.corpus import CorpusLike
from snaps.datasets.frames import frame_rows
from snaps.profiling.session import open_session
from snaps.responses import Context
from snaps.schema import LOGITS_LAYER


def frame_table(
    model: nn.Module,
    corpus: CorpusLike,
    *,
    context: Context = "recording",
    symbols: Sequence[str] | None = None,
    frame_steps: int | None = None,
    frame_hop: int | None = None,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Every frame of a corpus with its prediction, its labels and its recording's attributes.

    Parameters
    ----------
    model : Module
        The network.
    corpus : Corpus or list of Recording
        What is played.
    context, symbols, frame_steps, frame_hop, batch_size, device, progress
        As in `compute_profiles`.

    Returns
    -------
    DataFrame
        Columns ``recording``; ``step``, the input step at the frame's centre; ``time``, its time in seconds;
        ``predicted``, the symbol with the highest score, blank included; one column a tier with its label at
        the centre (None without one); one column an attribute. Frames are in the order of the corpus.

    Raises
    ------
    InputError
        As `compute_profiles`.
    """
    tables = []
    with open_session(
        model, symbols=symbols, ignore=(), target="predicted", device=device, context=context, layers=(LOGITS_LAYER,),
        frame_steps=frame_steps, frame_hop=frame_hop, batch_size=batch_size,
    ) as session:  # fmt: skip
        indices = tqdm(range(len(corpus)), desc="frames", unit="recording", disable=not progress, dynamic_ncols=True)
        for recording in map(corpus.__getitem__, indices):
            responder = session.responder(recording)
            if responder.grid.count(recording.n_steps) == 0:
                continue
            for piece in responder.play(session.features(recording.features)):
                predicted = session.predicted(piece.logits)
                centre = piece.first * responder.grid.hop + responder.grid.centre
                tables.append(
                    frame_rows(
                        recording,
                        n_frames=len(predicted),
                        hop=responder.grid.hop,
                        centre=centre,
                        predicted=predicted,
                    )
                )
    if not tables:
        return pd.DataFrame(columns=["recording", "step", "time", "predicted"])
    return pd.concat(tables, ignore_index=True)
