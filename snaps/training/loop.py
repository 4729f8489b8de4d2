"""The training loop: one network, one cycle of the learning rate, epoch after epoch."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn

from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.training.batches import Batch, batches, length_batches
from snaps.training.ctc import ctc_loss, ends_masked, frame_loss, hold_still, wide_kernels_as_products
from snaps.training.decode import best_path, blank_position
from snaps.training.examples import Example, Examples
from snaps.training.settings import WARM_EPOCHS, Settings

#: Largest norm of the gradient of one batch. Without it the first steps of CTC throw the network about.
GRADIENT_NORM = 1.0
#: Decay of the weights in AdamW, its usual value.
WEIGHT_DECAY = 0.01


class DivergedError(InputError):
    """The loss or its gradient is no longer finite."""


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
        Where features come from.
    training, validation : tuple of Example
        What to train on and to validate with.
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
        """Batches an epoch."""
        return len(length_batches([one.n_steps for one in self.training], self.settings.batch_size, epoch=0))

    @property
    def finished(self) -> bool:
        """Whether all epochs lie behind."""
        return len(self.history) >= self.settings.epochs

    def run_epoch(self, on_batch: Callable[[], object]) -> None:
        """Train for one epoch, validate, and keep the weights if they are the best so far.

        Parameters
        ----------
        on_batch : callable
            Called after every batch.

        Raises
        ------
        DivergedError
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
            self.best_epoch, self.best = row["epoch"], on_cpu(self.network.state_dict())

    def training_batches(self, epoch: int) -> Any:
        """Batches of an epoch, counted from 0."""
        settings = self.settings
        return batches(
            self.examples, self.training, batch_size=settings.batch_size, band_shift=settings.band_shift,
            seed=settings.seed, epoch=epoch,
        )  # fmt: skip

    def step(self, batch: Batch) -> float:
        """Take one step of the optimiser, and give the loss before it.

        Raises
        ------
        DivergedError
            If the loss or its gradient is not finite; the weights are left as they are.
        """
        self.network.train()
        for module in self._held:
            module.eval()  # its statistics must not move
        warm = self.settings.warm_start is not None and len(self.history) < WARM_EPOCHS
        batch = _moved(batch, self.device)
        logits = self._logits(batch)
        loss = frame_loss(logits, batch) if warm else ctc_loss(self.network, logits, batch)
        self.optimizer.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self._trained, GRADIENT_NORM))
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(norm)):
            what = "loss" if not math.isfinite(value) else "gradient"
            raise DivergedError(
                f"the {what} is not finite in epoch {len(self.history) + 1}; try an lr below {self.settings.lr:g}, "
                f"such as {self.settings.lr / 10:g}"
            )
        self.optimizer.step()
        self.schedule.step()
        return value

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training needs to go on after its last epoch."""
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
        """Go on where another training of the same settings had come to.

        Raises
        ------
        RuntimeError, ValueError, KeyError, TypeError
            If it is the state of another network.
        """
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
                batch = _moved(batch, self.device)
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
        """Whether an epoch has the lowest error rate so far, or the lower loss with the same.

        Without a validation every epoch is better than the one before.
        """
        if not self.best_epoch or not self.validation:
            return True
        best = self.history[self.best_epoch - 1]
        return not (row["error_rate"], row["val_loss"]) >= (best["error_rate"], best["val_loss"])


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _moved(batch: Batch, device: torch.device) -> Batch:
    frames = None if batch.frame_targets is None else batch.frame_targets.to(device)
    return Batch(
        features=batch.features.to(device), lengths=batch.lengths.to(device), targets=batch.targets.to(device),
        target_lengths=batch.target_lengths.to(device), frame_targets=frames,
    )  # fmt: skip
