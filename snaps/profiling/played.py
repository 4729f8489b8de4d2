"""Frames that were played: their predictions, their labels, and which of them are responded to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from jaxtyping import Bool

from snaps.datasets import Grouping, Recording, frame_rows
from snaps.profiling.network import PreparedNetwork
from snaps.responses import Piece


@dataclass(frozen=True, eq=False)
class Played:
    """Consecutive frames of a recording, with their predictions.

    Attributes
    ----------
    network : PreparedNetwork
        The network that it was played to.
    recording : Recording
        The recording.
    piece : Piece
        Responses on demand.
    predicted : object array of shape (frame,)
        Predicted symbols, None where a score is not finite.
    """

    network: PreparedNetwork
    recording: Recording
    piece: Piece
    predicted: np.ndarray

    @cached_property
    def has_prediction(self) -> Bool[np.ndarray, " frame"]:
        """Frames that have a prediction."""
        return np.array([symbol is not None for symbol in self.predicted], dtype=bool)

    @cached_property
    def ignored(self) -> Bool[np.ndarray, " frame"]:
        """Frames whose predicted symbol is ignored."""
        return np.isin(self.predicted, self.network.ignored)

    def rows(self) -> pd.DataFrame:
        """Rows of the frame table."""
        grid = self.network.responder.grid
        return frame_rows(
            self.recording,
            n_frames=len(self.predicted),
            hop=grid.hop,
            centre=self.piece.first * grid.hop + grid.centre,
            predicted=self.predicted,
        )


class Labeller(Protocol):
    """Selects the frames to respond to, and labels them."""

    @property
    def names(self) -> Sequence[str]:
        """Names that what is left out is counted under."""

    def labels(self, played: Played) -> Mapping[str, np.ndarray]:
        """Label of every frame in some groupings, None for no label."""

    def wanted(self, played: Played, labels: Mapping[str, np.ndarray]) -> Bool[np.ndarray, " frame"]:
        """Frames to respond to; those that are ignored or have no prediction are left out in any case."""


@dataclass(frozen=True)
class ByGroupings:
    """Frames that have a label in some grouping.

    Attributes
    ----------
    groupings : sequence of Grouping
        What frames are labelled by.
    columns : sequence of str
        Columns of the whole corpus' frame table.
    """

    groupings: Sequence[Grouping]
    columns: Sequence[str] = ()

    @property
    def names(self) -> Sequence[str]:
        """Names of the groupings."""
        return [grouping.name for grouping in self.groupings]

    def labels(self, played: Played) -> Mapping[str, np.ndarray]:
        """Labels by grouping."""
        rows = played.rows()
        return {grouping.name: grouping.labels(rows, known=self.columns) for grouping in self.groupings}

    def wanted(self, played: Played, labels: Mapping[str, np.ndarray]) -> Bool[np.ndarray, " frame"]:
        """Frames with a label; where a recording has values that are not finite, all, to count the broken ones."""
        if not played.has_prediction.all() or not np.isfinite(played.recording.features).all():
            return np.ones(len(played.predicted), dtype=bool)
        return np.any([labelled(of_frames) for of_frames in labels.values()], axis=0)


@dataclass(frozen=True)
class EveryFrame:
    """All frames, without labels; frames left out are counted under one name."""

    name: str

    @property
    def names(self) -> Sequence[str]:
        """The name."""
        return (self.name,)

    def labels(self, played: Played) -> Mapping[str, np.ndarray]:
        """No labels."""
        return {}

    def wanted(self, played: Played, labels: Mapping[str, np.ndarray]) -> Bool[np.ndarray, " frame"]:
        """All frames."""
        return np.ones(len(played.predicted), dtype=bool)


def labelled(labels: np.ndarray) -> Bool[np.ndarray, " frame"]:
    """Whether each frame has a label."""
    return np.array([label is not None for label in labels], dtype=bool)
