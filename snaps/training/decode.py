"""Best-path transcription, and the symbol error rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from snaps.datasets import CorpusLike, OnError, Recording
from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.responses import evaluating
from snaps.training.alphabet import LETTER
from snaps.training.examples import LeftOut, usable


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Transcripts of a corpus and their error rate.

    Attributes
    ----------
    error_rate : float
        Insertions, deletions and substitutions per symbol of the reference; 0 is perfect, and it can exceed
        1.
    transcripts : DataFrame
        One row a recording: ``recording``, ``reference`` and ``predicted`` (symbols, separated by spaces; for
        letters the text itself), and its own ``error_rate``.
    left_out : DataFrame
        One row a recording that is left out: ``recording``, ``cause`` and ``reason``.
    """

    error_rate: float
    transcripts: pd.DataFrame
    left_out: pd.DataFrame


def blank_position(model: Wav2Letter) -> int:
    """Position of the blank among a network's symbols.

    Raises
    ------
    InputError
        If the network has no blank: CTC cannot do without.
    """
    if model.blank is None:
        raise InputError("the network has no blank; CTC needs one, as in Wav2Letter(symbols, blank='_')")
    return model.symbols.index(model.blank)


def best_path(logits: Float[Tensor, "symbol step"], blank: int) -> tuple[int, ...]:
    """Symbols along the best path of CTC: the best of every step, without repetitions and blanks.

    Parameters
    ----------
    logits : tensor of shape (symbol, step)
        Scores of one recording.
    blank : int
        The blank's position.

    Returns
    -------
    tuple of int
        Positions in the symbol table.

    Examples
    --------
    >>> steps = torch.tensor([1, 1, 0, 1, 2, 2, 0])
    >>> best_path(torch.nn.functional.one_hot(steps).T.float(), blank=0)
    (1, 1, 2)
    """
    path = torch.unique_consecutive(logits.argmax(dim=0))
    return tuple(position for position in path.tolist() if position != blank)


def transcribe(model: Wav2Letter, recording: Recording | Float[np.ndarray, "unit step"]) -> tuple[str, ...]:
    """Transcribe one recording along the best path, without any language model.

    Parameters
    ----------
    model : Wav2Letter
        The network; it stays as it is. Its `padding` counts.
    recording : Recording or array of shape (units, steps)
        The recording, or its features.

    Returns
    -------
    tuple of str
        Symbols; those of a letter network give the text when they are joined.

    Raises
    ------
    InputError
        If the network has no blank, or the features have another number of units than it takes.
    """
    features = recording.features if isinstance(recording, Recording) else np.asarray(recording, dtype=np.float32)
    blank = blank_position(model)
    if features.ndim != 2 or features.shape[0] != model.n_inputs:
        raise InputError(f"features have the shape {features.shape}; accepted is ({model.n_inputs}, steps)")
    if int(model.output_lengths(torch.tensor(features.shape[1]))) < 1:
        return ()
    with evaluating(model), torch.inference_mode():
        x = torch.from_numpy(np.array(features)).to(next(model.parameters()).device)  # (unit, step)
        logits = model(x[None])[0]  # (symbol, step)
    return tuple(model.symbols[position] for position in best_path(logits, blank))


def evaluate(
    model: Wav2Letter,
    corpus: CorpusLike,
    *,
    labels: str = "phoneme",
    fold: Mapping[str, str] | None = None,
    on_error: OnError = "raise",
    progress: bool = True,
) -> Evaluation:
    """Transcribe a corpus and count the errors.

    Every recording is run alone, so that the result does not depend on the others.

    Parameters
    ----------
    model : Wav2Letter
        The network; it stays as it is.
    corpus : corpus or sequence of Recording
        Recordings with their labels.
    labels : str
        ``"letter"`` for the text of the recordings, or the name of a tier.
    fold : mapping of str to str, optional
        Coarser labels for both sides before they are compared; an empty one is passed over, and a symbol that
        the mapping lacks stays. Error rates on TIMIT are customarily those after `FOLD_39`.
    on_error : {"raise", "skip"}
        Whether a recording that cannot be read ends everything or is left out.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    Evaluation
        The error rate, every transcript, and what was left out.

    Raises
    ------
    InputError
        If the network has no blank, or nothing can be evaluated.
    RecordingError
        If a recording cannot be read or labelled, and is not to be skipped.
    """
    blank_position(model)
    left_out, rows, errors, n_symbols = LeftOut(), [], 0, 0
    bar = "transcribing" if progress else None
    for example, recording in usable(model, corpus, labels=labels, left_out=left_out, on_error=on_error, bar=bar):
        reference = _folded([model.symbols[position] for position in example.target], fold or {})
        predicted = _folded(transcribe(model, recording), fold or {})
        if not reference:
            reason = f"recording {recording.id!r} has no symbols after the fold"
            left_out.append((recording.id, "unlabelled", reason))
            continue
        distance = Levenshtein.distance(predicted, reference)
        errors, n_symbols = errors + distance, n_symbols + len(reference)
        separator = "" if labels == LETTER else " "
        rows.append((recording.id, separator.join(reference), separator.join(predicted), distance / len(reference)))
    if not rows:
        raise left_out.none_left(len(corpus))
    transcripts = pd.DataFrame(rows, columns=["recording", "reference", "predicted", "error_rate"])
    return Evaluation(errors / n_symbols, transcripts, left_out.table())


def error_rate(
    model: Wav2Letter, corpus: CorpusLike, *, labels: str = "phoneme", fold: Mapping[str, str] | None = None
) -> float:
    """Symbol error rate of a network on a corpus; `evaluate` gives the transcripts too.

    Parameters
    ----------
    model, corpus, labels, fold
        As `evaluate` takes them.

    Returns
    -------
    float
        Insertions, deletions and substitutions per symbol of the reference.

    Raises
    ------
    InputError
        As `evaluate`.
    """
    return evaluate(model, corpus, labels=labels, fold=fold, progress=False).error_rate


def _folded(symbols: Sequence[str], fold: Mapping[str, str]) -> list[str]:
    folded = (fold.get(symbol, symbol) for symbol in symbols)
    return [symbol for symbol in folded if symbol]
