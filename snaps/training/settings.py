"""What determines a training run."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from snaps.errors import InputError
from snaps.models import Wav2Letter


@dataclass(frozen=True)
class Settings:
    """Options of a training run that change its result.

    Attributes
    ----------
    labels : str
        ``"letter"`` or the name of a tier.
    epochs, batch_size : int
        Passes over the training part; recordings a batch.
    lr : float
        Peak of the learning rate.
    band_shift : int
        Largest number of bands by which a recording is moved up or down.
    validation : float
        Share of the speakers that is set aside.
    patience : int or None
        Epochs without a better error rate after which to stop.
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
    band_shift: int
    validation: float
    patience: int | None
    frozen: int
    freeze_normalization: bool
    seed: int

    def __post_init__(self) -> None:
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("band_shift", 0),
            ("frozen", 0),
            ("seed", 0),
            ("patience", 1),
        ):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} is {value!r}; accepted are whole numbers from {least}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise InputError(f"lr is {self.lr!r}; accepted are numbers above 0")
        if self.patience is not None and self.validation == 0:
            raise InputError("patience counts epochs without a better error rate, which validation=0 does not give")

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

    @property
    def decisive(self) -> dict[str, Any]:
        """The options that a run must keep when it goes on: all but when to stop early."""
        return {name: value for name, value in self.as_dict().items() if name != "patience"}

    def as_dict(self) -> dict[str, Any]:
        """All options by name, in values that JSON can hold."""
        return asdict(self)
