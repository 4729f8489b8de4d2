"""One network under CTC as a Lightning module: loss, optimiser, schedule, symbol error rate.

This module imports Lightning, so it is itself imported only where a training starts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.training.data import Batch, loader
from snaps.training.decode import best_path, blank_position
from snaps.training.extra import new_error_rate, words
from snaps.training.material import Example, Material
from snaps.training.resuming import take_over
from snaps.training.settings import Settings
from snaps.training.transfer import layer_modules

#: Decay of the weights in AdamW, its usual value.
WEIGHT_DECAY = 0.01


class CTCTraining(LightningModule):
    """Trains a `Wav2Letter` with connectionist temporal classification.

    Parameters
    ----------
    model : Wav2Letter
        The network; it is trained in place.
    settings : Settings
        How to train it.
    material : Material
        Where features come from.
    training, validation : tuple of Example
        What to train on and to validate with.
    first_epoch : int
        Number of epochs that lie behind already.
    state : dict, optional
        States of the optimiser and of the schedule at the end of those.
    """

    def __init__(
        self,
        model: Wav2Letter,
        settings: Settings,
        *,
        material: Material,
        training: tuple[Example, ...],
        validation: tuple[Example, ...],
        first_epoch: int = 0,
        state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.first_epoch = first_epoch
        self._material, self._training, self._validation = material, training, validation
        self._state = state
        self._blank = blank_position(model)
        self._error_rate = new_error_rate()
        self._held = hold_still(model, settings)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise InputError("nothing is left to train: no parameter of the network takes a gradient")
        #: Sums over the epoch so far: loss times recordings, recordings.
        self._sums = {"train": [0.0, 0], "val": [0.0, 0]}

    def train(self, mode: bool = True) -> "CTCTraining":
        """Switch the mode, but for what is held still: its statistics must not move."""
        super().train(mode)
        for module in self._held:
            module.eval()
        return self

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches of the epoch that comes now; Lightning asks anew every epoch."""
        epoch = self.first_epoch + self.current_epoch
        settings = self.settings
        return loader(
            self._material,
            self._training,
            batch_size=settings.batch_size,
            band_shift=settings.band_shift,
            seed=settings.seed,
            epoch=epoch,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches of the speakers who are set aside."""
        return loader(self._material, self._validation, batch_size=self.settings.batch_size)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW and the one-cycle schedule over all epochs, where a run that is resumed had left them."""
        settings = self.settings
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=settings.lr, total_steps=settings.epochs * len(self.train_dataloader())
        )
        if self._state is not None:
            take_over(optimizer, schedule, self._state)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Mean loss of one batch."""
        loss, _, _ = self._loss(batch)
        self._note("train", loss, batch)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Loss and errors of one batch."""
        loss, logits, lengths = self._loss(batch)
        self._note("val", loss, batch)
        written = [
            words(best_path(scores[:, :length], self._blank))
            for scores, length in zip(logits.cpu(), lengths.tolist(), strict=True)
        ]
        wanted = [
            words(target[:length])
            for target, length in zip(batch.targets.tolist(), batch.target_lengths.tolist(), strict=True)
        ]
        self._error_rate.update(written, wanted)

    def finish_epoch(self) -> dict[str, float]:
        """Losses and error rate of the epoch that ends, and begin anew; NaN where nothing was validated."""
        rate = float(self._error_rate.compute()) if self._validation else float("nan")
        losses = {f"{part}_loss": total / n if n else float("nan") for part, (total, n) in self._sums.items()}
        self._sums = {part: [0.0, 0] for part in self._sums}
        self._error_rate.reset()
        return {**losses, "error_rate": rate}

    def _note(self, part: str, loss: Tensor, batch: Batch) -> None:
        self._sums[part][0] += float(loss.detach()) * len(batch.lengths)
        self._sums[part][1] += len(batch.lengths)

    def _loss(
        self, batch: Batch
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "batch symbol step"], Int[Tensor, " batch"]]:
        with ends_masked(self.model, batch.lengths):
            logits = self.model(batch.features)
        lengths = self.model.output_lengths(batch.lengths)
        loss = nn.functional.ctc_loss(
            logits.log_softmax(dim=1).permute(2, 0, 1),  # (step, batch, symbol)
            batch.targets,
            lengths,
            batch.target_lengths,
            blank=self._blank,
            zero_infinity=True,
        )
        return loss, logits, lengths


def hold_still(model: Wav2Letter, settings: Settings) -> list[nn.Module]:
    """Take what is not to be trained out of the gradient.

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
    for module in {*frozen, *held}:
        module.requires_grad_(False)
    return held


@contextmanager
def ends_masked(model: Wav2Letter, lengths: Int[Tensor, " batch"]) -> Iterator[None]:
    """Let a padded network see the end of each recording of a batch as it would see it alone.

    Behind its end a recording alone meets the zeros that a convolution pads with. In a batch it would meet
    what normalisation makes of the silence that it was filled up with; so that is set to zero. Without
    padding nothing is to be done: no output step that counts reaches beyond the end.
    """
    handles = []
    if model.pads and int(lengths.min()) < int(lengths.max()):
        steps = lengths
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                handles.append(module.register_forward_hook(_mask_behind(steps)))
            elif isinstance(module, nn.Conv1d):
                steps = (steps + module.stride[0] - 1) // module.stride[0]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mask_behind(lengths: Int[Tensor, " batch"]) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        inside: Bool[Tensor, "batch step"] = torch.arange(output.shape[-1], device=output.device) < lengths[:, None]
        return output * inside[:, None]

    return hook
