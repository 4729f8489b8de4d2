"""Options of a training that change its result."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.training.alphabet import LETTER

#: How a training may begin before CTC; None for CTC from the first epoch.
WarmStart = Literal["frames"]
#: Epochs of cross-entropy of ``warm_start="frames"``.
WARM_EPOCHS = 2


@dataclass(frozen=True)
class Settings:
    """Options of a training that change its result.

    Attributes
    ----------
    labels : str
        ``"letter"`` or the name of a tier.
    epochs, batch_size : int
        Passes over the training part; recordings a batch.
    lr : float
        Peak of the learning rate.
    warm_start : {"frames"} or None
        What the first epochs learn, see `snaps.training.train`.
    band_shift : int
        Largest number of bands by which a recording is moved up or down.
    validation : float
        Share of the speakers that is set aside.
    frozen : int
        Number of lower convolutions that are not trained.
    freeze_normalization : bool
        Leave parameters and statistics of all batch normalisations alone.
    seed : int
        Seed of the choice of speakers and of the order of recordings.
    """

    labels: str
    epochs: int
    batch_size: int
    lr: float
    warm_start: WarmStart | None
    band_shift: int
    validation: float
    frozen: int
    freeze_normalization: bool
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("band_shift", 0), ("frozen", 0), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; accepted are whole numbers from {least}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise InputError(f"lr is {self.lr!r}; accepted are numbers above 0")
        if self.warm_start not in ("frames", None):
            raise InputError(f"warm_start is {self.warm_start!r}; accepted are 'frames' and None")
        if self.warm_start and self.labels == LETTER:
            raise InputError(
                "warm_start='frames' needs a tier with times, such as labels='phoneme'; the letters of a text have none"
            )
        if self.warm_start and self.epochs <= WARM_EPOCHS:
            raise InputError(
                f"epochs is {self.epochs}; warm_start='frames' takes the first {WARM_EPOCHS}, and CTC at least one more"
            )

    def check(self, model: Wav2Letter) -> None:
        """Refuse settings that do not fit a network.

        Raises
        ------
        InputError
            If more layers are to be frozen, or more bands to be shifted, than there are.
        """
        if self.band_shift >= model.n_inputs:
            raise InputError(f"band_shift is {self.band_shift}; the network has {model.n_inputs} input units")
        if self.frozen >= len(model.shapes):
            raise InputError(
                f"frozen is {self.frozen}; the network has {len(model.shapes)} convolutions, "
                "of which at least the last one is trained"
            )

    def as_dict(self) -> dict[str, Any]:
        """All options by name, in values that JSON can hold."""
        return asdict(self)
