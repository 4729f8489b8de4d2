"""How good an alignment is: annotation at the centre and at the peak, against what was predicted (SNAP, 5.1).

Everything is counted recording by recording; results are made from the counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

#: What an accuracy is the share of, each among the frames that are not left out.
CRITERIA: Mapping[str, str] = {
    "centre": "the annotation at the frame's centre is the predicted symbol",
    "aligned": "the annotation at the peak is the predicted symbol",
    "window": "the predicted symbol is annotated within the window around the peak",
    "ceiling": "the predicted symbol is annotated anywhere in the frame",
}
#: Offset of a frame in which the predicted symbol is not annotated (SNAP, section 5.1).
ABSENT = -1
#: Name of what is not annotated, among the annotated symbols.
NO_LABEL = ""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the annotation says of every frame of a recording.

    Attributes
    ----------
    at_centre, at_peak : arrays of shape (frame,)
        Codes of the annotation; -1 where there is none.
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
        Annotation at every input step of the recording; -1 for none.
    predicted : array of shape (frame,)
        Codes of the predicted symbols.
    begin, peak : arrays of shape (frame,)
        Input steps at which frames begin and peak.
    frame_steps : int
        Input steps of a frame.
    window : int
        Steps to either side of the peak that count as near.
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
    """What was counted for one aligner.

    Attributes
    ----------
    symbols : tuple of str
        Symbols that may be predicted.
    annotated : tuple of str
        Labels of the tier; one more place is for none.
    frame_steps : int
        Input steps of a frame.
    recordings : list of str
        Recordings with frames.
    hits : list of arrays of shape (criterion,)
        Frames that fulfil each criterion, a recording.
    frames : list of int
        Frames of each recording.
    """

    symbols: tuple[str, ...]
    annotated: tuple[str, ...]
    frame_steps: int
    recordings: list[str] = field(default_factory=list)
    hits: list[np.ndarray] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    distance: list[int] = field(default_factory=list)
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
            Its identifier.
        judgement : Judgement
            What the annotation says.
        predicted : array of shape (frame,)
            Places of the predicted symbols among `symbols`.
        same : array of shape (frame,)
            Codes of the predicted symbols among the annotated ones; -2 where the tier has no such symbol.
        unaligned : int
            Frames without a peak.
        """
        criteria = np.stack(
            [judgement.at_centre == same, judgement.at_peak == same, judgement.within, judgement.offset != ABSENT],
            axis=1,
        )
        if not self.recordings or self.recordings[-1] != recording:
            self.recordings.append(recording)
            self.hits.append(np.zeros(len(CRITERIA), dtype=np.int64))
            self.frames.append(0)
            self.distance.append(0)
        self.hits[-1] += criteria.sum(axis=0)
        self.frames[-1] += len(predicted)
        self.distance[-1] += int(judgement.offset[judgement.offset != ABSENT].sum())
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
        """
        count = self.offsets.sum(axis=1)
        kept = np.flatnonzero(count)
        symbol = np.array([self.symbols[place] for place in kept], dtype=str)
        labels = np.array([*self.annotated, NO_LABEL], dtype=str)
        found = xr.Dataset(
            {
                "count": ("symbol", count[kept]),
                "table": (("moment", "symbol", "annotated"), self.tables[:, kept]),
            },
            {"symbol": symbol, "annotated": labels, "moment": ["before", "after"]},
            {"n_frames": int(count.sum()), "n_recordings": len(self.frames), "n_unaligned": self.unaligned},
        )
        if not matched:
            return found
        hits, frames = np.array(self.hits).reshape(-1, len(CRITERIA)), np.array(self.frames)
        borne = hits[:, list(CRITERIA).index("ceiling")]
        low, high = bootstrap_interval(hits, frames, n_resamples=n_resamples, seed=seed)
        apart, apart_of = np.array(self.distance), borne
        offset_low, offset_high = bootstrap_interval(apart[:, None], apart_of, n_resamples=n_resamples, seed=seed)
        offset_steps = np.arange(ABSENT, self.frame_steps)
        numbers = self.offsets[kept]
        with np.errstate(invalid="ignore"):
            by_symbol = self.by_symbol[kept] / count[kept][:, None]
            mean_by_symbol = (numbers[:, 1:] * offset_steps[1:]).sum(axis=1) / numbers[:, 1:].sum(axis=1)
            accuracy, mean = hits.sum(axis=0) / frames.sum(), apart.sum() / apart_of.sum()
        return found.assign(
            accuracy=("criterion", accuracy),
            accuracy_low=("criterion", low),
            accuracy_high=("criterion", high),
            accuracy_by_symbol=(("symbol", "criterion"), by_symbol),
            offsets=(("symbol", "offset"), numbers),
            mean_offset=((), mean, {"units": "steps"}),
            mean_offset_low=((), offset_low[0], {"units": "steps"}),
            mean_offset_high=((), offset_high[0], {"units": "steps"}),
            mean_offset_by_symbol=("symbol", mean_by_symbol, {"units": "steps"}),
            mean_offset_ms=((), mean * step * 1e3, {"units": "ms"}),
            hits=(("recording", "criterion"), hits),
            frames=("recording", frames),
        ).assign_coords(
            criterion=list(CRITERIA),
            offset=("offset", offset_steps, {"units": "steps"}),
            offset_ms=("offset", np.where(offset_steps < 0, np.nan, offset_steps * step * 1e3), {"units": "ms"}),
            recording=np.array(self.recordings, dtype=str),
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
        Probability that the interval holds.

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
    with np.errstate(invalid="ignore"):
        drawn = (times @ hits) / (times @ frames)[:, None]
    tail = 100 * (1 - share) / 2
    with np.errstate(invalid="ignore"):  # scores that are infinite have an interval that is not a number
        return np.nanpercentile(drawn, tail, axis=0), np.nanpercentile(drawn, 100 - tail, axis=0)
