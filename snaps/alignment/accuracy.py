"""Alignment accuracy: predicted symbols against the annotation at the frame's centre and at the peak (SNAP, 5.1).

Frames are counted recording by recording, and the results are computed from the counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

#: Criteria that a frame may fulfil; an accuracy is the share of frames that fulfil one.
CRITERIA: Mapping[str, str] = {
    "centre": "the annotation at the frame's centre is the predicted symbol",
    "aligned": "the annotation at the peak is the predicted symbol",
    "window": "the predicted symbol is annotated within the window around the peak",
    "ceiling": "the predicted symbol is annotated anywhere in the frame",
}
#: Offset of a frame in which the predicted symbol is not annotated (SNAP, section 5.1).
ABSENT = -1
#: Annotated symbol of a step without a label.
NO_LABEL = ""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Annotation of every frame of a recording, compared with the prediction.

    Attributes
    ----------
    at_centre, at_peak : arrays of shape (frame,)
        Codes of the labels at the centre and at the peak; -1 for no label.
    within : array of shape (frame,)
        Whether the predicted symbol is annotated within the window around the peak.
    offset : array of shape (frame,)
        Steps from the peak to the nearest step of the frame that bears the predicted symbol; -1 for none.
    """

    at_centre: Int[np.ndarray, " frame"]
    at_peak: Int[np.ndarray, " frame"]
    within: Bool[np.ndarray, " frame"]
    offset: Int[np.ndarray, " frame"]


def judge(
    codes: Int[np.ndarray, " step"],
    *,
    predicted: Int[np.ndarray, " frame"],
    begin: Int[np.ndarray, " frame"],
    peak: Int[np.ndarray, " frame"],
    frame_steps: int,
    window: int,
) -> Judgement:
    """Compare predictions with the annotation at centres and peaks.

    Parameters
    ----------
    codes : array of shape (step,)
        Code of the label at every input step of the recording; -1 for no label.
    predicted : array of shape (frame,)
        Codes of the predicted symbols.
    begin, peak : arrays of shape (frame,)
        Input steps at which frames begin and peak.
    frame_steps : int
        Input steps of a frame.
    window : int
        Steps to either side of the peak that count as near.

    Returns
    -------
    Judgement
        Labels at centre and peak, and the distance to the predicted symbol.
    """
    frames = codes[begin[:, None] + np.arange(frame_steps)]  # (frame, step)
    distance = np.abs(begin[:, None] + np.arange(frame_steps) - peak[:, None])
    borne = frames == predicted[:, None]
    nearest = np.where(borne, distance, frame_steps).min(axis=1)
    padded = np.pad(codes, window, constant_values=-1)
    around = padded[peak[:, None] + np.arange(2 * window + 1)]
    return Judgement(
        at_centre=codes[begin + frame_steps // 2],
        at_peak=codes[peak],
        within=(around == predicted[:, None]).any(axis=1),
        offset=np.where(borne.any(axis=1), nearest, ABSENT),
    )


@dataclass(eq=False)
class AlignmentCounts:
    """Counts of frames for one aligner.

    Attributes
    ----------
    symbols : tuple of str
        Symbols that may be predicted.
    annotated : tuple of str
        Labels of the tier; one more place is for no label.
    frame_steps : int
        Input steps of a frame.
    recordings : dict of str to array
        By recording: frames that fulfil each criterion, all frames, and the sum of offsets.
    unaligned : int
        Frames without a peak.
    """

    symbols: tuple[str, ...]
    annotated: tuple[str, ...]
    frame_steps: int
    recordings: dict[str, np.ndarray] = field(default_factory=dict)
    unaligned: int = 0

    def __post_init__(self) -> None:
        n_symbols = len(self.symbols)
        #: Predicted symbol against offset, from -1 on.
        self.offsets = np.zeros((n_symbols, self.frame_steps + 1), dtype=np.int64)
        #: Predicted symbol against criterion.
        self.by_symbol = np.zeros((n_symbols, len(CRITERIA)), dtype=np.int64)
        #: Before and after alignment, predicted against annotated symbol.
        self.tables = np.zeros((2, n_symbols, len(self.annotated) + 1), dtype=np.int64)

    def add(
        self,
        recording: str,
        judgement: Judgement,
        *,
        predicted: Int[np.ndarray, " frame"],
        same: Int[np.ndarray, " frame"],
        unaligned: int,
    ) -> None:
        """Add frames of a recording.

        Parameters
        ----------
        recording : str
            Identifier of the recording.
        judgement : Judgement
            Annotation of the frames.
        predicted : array of shape (frame,)
            Places of the predicted symbols among `symbols`.
        same : array of shape (frame,)
            Codes of the predicted symbols among the annotated ones; -2 where the tier has no such symbol.
        unaligned : int
            Frames without a peak.
        """
        present = judgement.offset != ABSENT
        criteria = np.stack([judgement.at_centre == same, judgement.at_peak == same, judgement.within, present], axis=1)
        sums = self.recordings.setdefault(recording, np.zeros(len(CRITERIA) + 2, dtype=np.int64))
        sums += [*criteria.sum(axis=0), len(predicted), judgement.offset[present].sum()]
        self.unaligned += unaligned
        np.add.at(self.by_symbol, predicted, criteria)
        np.add.at(self.offsets, (predicted, judgement.offset + 1), 1)
        for table, found in zip(self.tables, (judgement.at_centre, judgement.at_peak), strict=True):
            np.add.at(table, (predicted, np.where(found < 0, len(self.annotated), found)), 1)

    def result(self, *, step: float, matched: bool, n_resamples: int, seed: int) -> xr.Dataset:
        """Labelled accuracies, offsets and tables.

        Parameters
        ----------
        step : float
            Seconds of an input step.
        matched : bool
            Whether predicted and annotated symbols are of one kind, so that they can be equal.
        n_resamples, seed : int
            Of the bootstrap over recordings.

        Returns
        -------
        Dataset
            As `snaps.evaluate_alignment` describes it; counts and tables alone if not `matched`.
        """
        count = self.offsets.sum(axis=1)
        kept = np.flatnonzero(count)
        found = xr.Dataset(
            {"count": ("symbol", count[kept]), "table": (("moment", "symbol", "annotated"), self.tables[:, kept])},
            {
                "symbol": np.array([self.symbols[place] for place in kept], dtype=str),
                "annotated": np.array([*self.annotated, NO_LABEL], dtype=str),
                "moment": ["before", "after"],
            },
            {"n_frames": int(count.sum()), "n_recordings": len(self.recordings), "n_unaligned": self.unaligned},
        )
        if not matched:
            return found
        sums = np.array(list(self.recordings.values())).reshape(-1, len(CRITERIA) + 2)
        hits, frames, distance = sums[:, :-2], sums[:, -2], sums[:, -1:]
        present = hits[:, list(CRITERIA).index("ceiling")]
        low, high = bootstrap_interval(hits, frames, n_resamples=n_resamples, seed=seed)
        offset_low, offset_high = bootstrap_interval(distance, present, n_resamples=n_resamples, seed=seed)
        steps, offsets = np.arange(ABSENT, self.frame_steps), self.offsets[kept]
        with np.errstate(invalid="ignore"):
            accuracy, mean = hits.sum(axis=0) / frames.sum(), distance.sum() / present.sum()
            mean_by_symbol = (offsets[:, 1:] * steps[1:]).sum(axis=1) / offsets[:, 1:].sum(axis=1)
        return found.assign(
            accuracy=("criterion", accuracy),
            accuracy_low=("criterion", low),
            accuracy_high=("criterion", high),
            accuracy_by_symbol=(("symbol", "criterion"), self.by_symbol[kept] / count[kept][:, None]),
            offsets=(("symbol", "offset"), offsets),
            mean_offset=((), mean, {"units": "steps"}),
            mean_offset_low=((), offset_low[0], {"units": "steps"}),
            mean_offset_high=((), offset_high[0], {"units": "steps"}),
            mean_offset_by_symbol=("symbol", mean_by_symbol, {"units": "steps"}),
            mean_offset_ms=((), mean * step * 1e3, {"units": "ms"}),
            hits=(("recording", "criterion"), hits),
            frames=("recording", frames),
        ).assign_coords(
            criterion=list(CRITERIA),
            offset=("offset", steps, {"units": "steps"}),
            offset_ms=("offset", np.where(steps < 0, np.nan, steps * step * 1e3), {"units": "ms"}),
            recording=np.array(list(self.recordings), dtype=str),
        )


def bootstrap_interval(
    hits: np.ndarray, frames: np.ndarray, *, n_resamples: int, seed: int, share: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence interval of ``sum(hits) / sum(frames)``, from recordings drawn with replacement.

    Parameters
    ----------
    hits : array of shape (recording, value)
        Numerators.
    frames : array of shape (recording,)
        Denominators.
    n_resamples, seed : int
        Of the bootstrap.
    share : float
        Confidence level.

    Returns
    -------
    two arrays of shape (value,)
        Lower and upper end, by percentiles; NaN where there are fewer than two recordings.
    """
    nothing = np.full(hits.shape[1], np.nan)
    if len(frames) < 2:
        return nothing, nothing
    generator = np.random.default_rng(seed)
    times = generator.multinomial(len(frames), np.full(len(frames), 1 / len(frames)), size=n_resamples)
    tail = 100 * (1 - share) / 2
    with np.errstate(invalid="ignore"):  # scores that are infinite have an interval that is not a number
        drawn = (times @ hits) / (times @ frames)[:, None]
        return np.nanpercentile(drawn, tail, axis=0), np.nanpercentile(drawn, 100 - tail, axis=0)
