"""Options of a training, its epochs and steps, and its losses."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from snaps.errors import InputError, check_choice, check_number, check_whole
from snaps.models import Wav2Letter
from snaps.training.alphabet import LETTER
from snaps.training.decode import best_path, blank_position
from snaps.training.examples import NO_TARGET, Batch, Example, Examples, batches, length_batches
from snaps.training.transfer import layer_modules

#: Largest norm of the gradient of one batch. Without it the first steps of CTC throw the network about.
GRADIENT_NORM = 1.0
#: Decay of the weights in AdamW, its usual value.
WEIGHT_DECAY = 0.01
#: Fewest steps of a kernel whose convolution is computed as a matrix product.
WIDE_KERNEL = 16

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

    labels: str = "phoneme"
    epochs: int = 24
    batch_size: int = 4
    lr: float = 5e-3
    warm_start: WarmStart | None = None
    band_shift: int = 0
    validation: float = 0.1
    frozen: int = 0
    freeze_normalization: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("band_shift", 0), ("frozen", 0), ("seed", 0)):
            check_whole(name, getattr(self, name), least=least)
        check_number("lr", self.lr, above=0)
        check_choice("warm_start", self.warm_start, (*get_args(WarmStart), None))
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


@dataclass(eq=False)
class Training:
    """A network between two epochs.

    Attributes
    ----------
    network : Wav2Letter
        The network; it is trained in place.
    settings : Settings
        How to train it.
    examples : Examples
        Source of the features.
    training, validation : tuple of Example
        Recordings to train on and to validate with.
    device : device
        Where to compute.
    """

    network: Wav2Letter
    settings: Settings
    examples: Examples
    training: tuple[Example, ...]
    validation: tuple[Example, ...]
    device: torch.device

    def __post_init__(self) -> None:
        #: One row an epoch.
        self.history: list[dict[str, Any]] = []
        #: The epoch with the lowest error rate, from 1; 0 before the first. And the weights after it.
        self.best_epoch, self.best = 0, dict[str, Tensor]()
        self.network.to(self.device)
        self._held = hold_still(self.network, self.settings)
        self._trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        if not self._trained:
            raise InputError("nothing is left to train: no parameter of the network takes a gradient")
        lr = self.settings.lr
        self.optimizer = torch.optim.AdamW(self._trained, lr=lr, weight_decay=WEIGHT_DECAY, fused=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=lr, total_steps=self.settings.epochs * self.n_batches
        )

    @property
    def n_batches(self) -> int:
        """Number of batches per epoch."""
        return len(length_batches([one.n_steps for one in self.training], self.settings.batch_size, epoch=0))

    def run_epoch(self, on_batch: Callable[[], object]) -> None:
        """Train for one epoch, validate, and keep the weights if they are the best so far.

        Parameters
        ----------
        on_batch : callable
            Called after every batch.

        Raises
        ------
        InputError
            If the loss or its gradient is not finite.
        """
        number, begun = len(self.history), time.monotonic()
        total, n = 0.0, 0
        for batch in self.training_batches(number):
            total += self.step(batch) * len(batch.lengths)
            n += len(batch.lengths)
            on_batch()
        row: dict[str, Any] = {
            "epoch": number + 1,
            "train_loss": total / n,
            **self._validate(),
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            "seconds": time.monotonic() - begun,
        }
        self.history.append(row)
        if self._is_best(row):
            weights = self.network.state_dict().items()
            self.best_epoch = row["epoch"]
            self.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights}

    def training_batches(self, epoch: int) -> Iterator[Batch]:
        """Batches of one epoch; epochs count from 0."""
        settings = self.settings
        return batches(
            self.examples, self.training, batch_size=settings.batch_size, band_shift=settings.band_shift,
            seed=settings.seed, epoch=epoch,
        )  # fmt: skip

    def step(self, batch: Batch) -> float:
        """Take one step of the optimiser and return the loss before it.

        Raises
        ------
        InputError
            If the loss or its gradient is not finite; the weights are left as they are.
        """
        self.network.train()
        for module in self._held:
            module.eval()  # its statistics must not move
        warm = self.settings.warm_start is not None and len(self.history) < WARM_EPOCHS
        batch = batch.to(self.device)
        logits = self._logits(batch)
        if warm:
            assert batch.frame_targets is not None
            loss = nn.functional.cross_entropy(logits, batch.frame_targets, ignore_index=NO_TARGET)
        else:
            loss = ctc_loss(self.network, logits, batch)
        self.optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self._trained, GRADIENT_NORM))
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise InputError(
                f"the loss or its gradient is not finite in epoch {len(self.history) + 1}; try an lr below "
                f"{self.settings.lr:g}, such as {self.settings.lr / 10:g}"
            )
        self.optimizer.step()
        self.schedule.step()
        return value

    def state_dict(self) -> dict[str, Any]:
        """State from which a training goes on after its last epoch."""
        return {
            "epochs": self.settings.epochs,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best": self.best,
            "last": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of another training with the same settings."""
        self.network.load_state_dict(state["last"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.best_epoch, self.best = list(state["history"]), state["best_epoch"], dict(state["best"])

    def _logits(self, batch: Batch) -> Float[Tensor, "batch symbol step"]:
        with ends_masked(self.network, batch.lengths), wide_kernels_as_products(self.network):
            return self.network(batch.features)

    def _validate(self) -> dict[str, float]:
        """Loss, symbol error rate and share of blanks on the speakers who are set aside; NaN where there are none."""
        blank = blank_position(self.network)
        loss, errors, symbols, blanks, steps = 0.0, 0, 0, 0, 0
        self.network.eval()
        with torch.inference_mode():
            for batch in batches(self.examples, self.validation, batch_size=self.settings.batch_size):
                batch = batch.to(self.device)
                logits = self._logits(batch)
                loss += float(ctc_loss(self.network, logits, batch)) * len(batch.lengths)
                lengths = self.network.output_lengths(batch.lengths).tolist()
                for scores, length, target, wanted in zip(
                    logits.cpu(), lengths, batch.targets.tolist(), batch.target_lengths.tolist(), strict=True
                ):
                    errors += Levenshtein.distance(best_path(scores[:, :length], blank), target[:wanted])
                    blanks += int((scores[:, :length].argmax(dim=0) == blank).sum())
                    symbols, steps = symbols + wanted, steps + length
        if not self.validation:
            return dict.fromkeys(("val_loss", "error_rate", "blanks"), math.nan)
        return {"val_loss": loss / len(self.validation), "error_rate": errors / symbols, "blanks": blanks / steps}

    def _is_best(self, row: Mapping[str, Any]) -> bool:
        """Whether an epoch has the lowest error rate so far (ties: loss); without a validation, every epoch has."""
        if not self.best_epoch or not self.validation:
            return True
        best = self.history[self.best_epoch - 1]
        return not (row["error_rate"], row["val_loss"]) >= (best["error_rate"], best["val_loss"])


def hold_still(model: Wav2Letter, settings: Settings) -> list[nn.Module]:
    """Exclude frozen modules from the gradient.

    Returns
    -------
    list of Module
        Batch normalisations that must stay in evaluation mode, so that their statistics do not move.
    """
    frozen = [module for number in range(settings.frozen) for module in layer_modules(model, number + 1)]
    held: list[nn.Module] = [
        module
        for module in model.modules()
        if isinstance(module, nn.BatchNorm1d) and (settings.freeze_normalization or module in frozen)
    ]
    # Scale and shift of the input bands are absorbed by the first convolution, and would cost its backward to the
    # input: a quarter of a small network's training.
    absorbed = [layer_modules(model, 1)[0]] if model.norm == "before" else []
    for module in {*frozen, *held, *absorbed}:
        module.requires_grad_(False)
    return held


def ctc_loss(model: Wav2Letter, logits: Float[Tensor, "batch symbol step"], batch: Batch) -> Float[Tensor, ""]:
    """CTC loss per symbol, mean over the batch (SNAP, section 4.2)."""
    return nn.functional.ctc_loss(
        logits.log_softmax(dim=1).permute(2, 0, 1),  # (step, batch, symbol)
        batch.targets,
        model.output_lengths(batch.lengths),
        batch.target_lengths,
        blank=blank_position(model),
        zero_infinity=True,
    )


@contextmanager
def wide_kernels_as_products(model: Wav2Letter) -> Iterator[None]:
    """Compute convolutions with a wide kernel as one matrix product each, where that is faster.

    On CPUs the gradients of the 32 steps wide convolution of a ``w2l`` take 2.5 times as long in PyTorch's own way,
    and it is three quarters of the network.
    """
    wide = [
        module
        for module in model.modules()
        if isinstance(module, nn.Conv1d)
        and module.kernel_size[0] >= WIDE_KERNEL
        and module.stride[0] == 1
        and module.weight.device.type == "cpu"
    ]
    for module in wide:
        module.forward = partial(_product, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in wide:
            del module.forward


def _product(module: nn.Conv1d, x: Float[Tensor, "batch unit step"]) -> Float[Tensor, "batch filter out"]:
    windows = x.unfold(2, module.kernel_size[0], 1).permute(0, 2, 1, 3)  # (batch, out, unit, kernel)
    product = nn.functional.linear(windows.flatten(2), module.weight.flatten(1), module.bias)
    return product.transpose(1, 2)


@contextmanager
def ends_masked(model: Wav2Letter, lengths: Int[Tensor, " batch"]) -> Iterator[None]:
    """Set the steps after the end of each recording of a batch to zero, as in a recording that is run alone.

    Without this, a batch would hold the normalised silence that its recordings were filled up with. A network that
    does not pad needs none of it: no output step that counts reaches beyond a recording's end.
    """
    handles = []
    if model.pads and int(lengths.min()) < int(lengths.max()):
        steps = lengths
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                handles.append(module.register_forward_hook(partial(_mask, steps)))
            elif isinstance(module, nn.Conv1d):
                steps = (steps + module.stride[0] - 1) // module.stride[0]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mask(lengths: Int[Tensor, " batch"], _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    inside = torch.arange(output.shape[-1], device=output.device) < lengths[:, None]  # (batch, step)
    return output * inside[:, None]
