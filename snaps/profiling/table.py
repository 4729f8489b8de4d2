"""The frame table: one row a frame, with its prediction and its labels."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import nn

from snaps.datasets import CorpusLike
from snaps.profiling.listen import Log, play, progress_bar, read
from snaps.profiling.network import Playing, prepared
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
        ``predicted``, the symbol with the highest score, blank included, None where a score is not finite; one column a
        tier with its label at the centre (None without one); one column an attribute. Frames are in the order of the
        corpus.

    Raises
    ------
    InputError
        As `compute_profiles`.
    """
    playing = Playing(
        context=context, symbols=symbols, ignore=(), frame_steps=frame_steps, frame_hop=frame_hop,
        batch_size=batch_size, device=device, layers=(LOGITS_LAYER,),
    )  # fmt: skip
    log = Log()
    with prepared(model, playing) as network, progress_bar(corpus, "frames", progress=progress) as bar:
        tables = [played.rows() for played in play(network, read(corpus, log, bar=bar), log)]
    if not tables:
        return pd.DataFrame(columns=["recording", "step", "time", "predicted"])
    return pd.concat(tables, ignore_index=True)
