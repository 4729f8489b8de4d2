"""What happens around the epochs of a training: the log, the best weights, the checkpoint, the bar, the end.

This module imports Lightning, so it is itself imported only where a training starts.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from tqdm import tqdm

from snaps.errors import InputError
from snaps.training.checkpoint import RunState
from snaps.training.ctc import CTCTraining


class EpochLog(Callback):
    """Writes down every epoch, remembers the best weights, and decides whether to go on.

    Parameters
    ----------
    state : RunState
        What is known so far; it is brought up to date after every epoch.
    max_minutes : float or None
        Stop before the epoch that would end later than that.
    save : callable, optional
        Is called after every epoch, when `state` is up to date.
    """

    def __init__(
        self,
        state: RunState,
        *,
        max_minutes: float | None = None,
        save: Callable[[RunState], None] | None = None,
    ) -> None:
        self.state = state
        self._save = save
        self._limit = math.inf if max_minutes is None else 60 * max_minutes
        self._start = self._epoch_start = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the time."""
        self._epoch_start = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close one epoch; validation lies behind it."""
        module = _ours(pl_module)
        state, settings = self.state, module.settings
        optimizer, schedule = trainer.optimizers[0], trainer.lr_scheduler_configs[0].scheduler
        now = time.monotonic()
        row: dict[str, Any] = {
            "epoch": len(state.history) + 1,
            **module.finish_epoch(),
            "lr": float(optimizer.param_groups[0]["lr"]),
            "seconds": now - self._epoch_start,
        }
        if not math.isfinite(row["train_loss"]):
            raise InputError(
                f"the loss became {row['train_loss']} in epoch {row['epoch']}; try an lr below {settings.lr:g}"
            )
        state.history.append(row)
        if state.is_best(row):
            state.best_epoch = row["epoch"]
            state.best = _on_cpu(module.model.state_dict())
        state.last = _on_cpu(module.model.state_dict())
        state.optimizer, state.schedule = optimizer.state_dict(), schedule.state_dict()
        if self._save is not None:
            self._save(state)
        late = now + row["seconds"] > self._start + self._limit
        trainer.should_stop = late or state.reason_to_stop(settings) is not None


class ProgressBar(Callback):
    """One bar on standard error over all batches of all epochs, with the latest validation beside it."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._bar: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the bar, from where a run that is resumed had come to."""
        batches, settings = int(trainer.num_training_batches), _ours(pl_module).settings
        self._bar = tqdm(
            total=settings.epochs * batches,
            initial=len(self.state.history) * batches,
            desc=f"training on {settings.labels}s",
            unit="batch",
        )
        self._show()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One batch further."""
        self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show how the validation went."""
        self._show()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the bar as it is, also after an exception."""
        if self._bar is not None:
            self._bar.close()

    def _show(self) -> None:
        if self.state.history:
            row = self.state.history[-1]
            shown = {"epoch": row["epoch"]}
            if not math.isnan(row["error_rate"]):
                shown |= {"val_loss": f"{row['val_loss']:.3f}", "error_rate": f"{row['error_rate']:.1%}"}
            self._bar.set_postfix(shown, refresh=False)


def _ours(module: LightningModule) -> CTCTraining:
    if not isinstance(module, CTCTraining):
        raise TypeError(f"accepted is a CTCTraining; received {type(module).__name__}")
    return module


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: torch.clone(tensor.detach()).cpu() for name, tensor in tensors.items()}
