"""The run itself: Lightning's trainer, without its files and its noise.

This module imports Lightning, so it is itself imported only where a training starts.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment

from snaps.models import Wav2Letter
from snaps.training.callbacks import EpochLog, ProgressBar
from snaps.training.checkpoint import RunState
from snaps.training.ctc import CTCTraining
from snaps.training.material import Example, Material
from snaps.training.settings import Settings

#: Largest norm of the gradient of one batch.
GRADIENT_NORM = 1.0


def fit(
    network: Wav2Letter,
    settings: Settings,
    *,
    material: Material,
    training: tuple[Example, ...],
    validation: tuple[Example, ...],
    state: RunState,
    device: torch.device,
    max_minutes: float | None,
    save: Callable[[RunState], None] | None,
    progress: bool,
) -> None:
    """Train `network` in place from where `state` has come to, and bring `state` up to date.

    Raises
    ------
    InputError
        If nothing is left to train, or the loss is no longer finite.
    """
    done = len(state.history)
    if done:
        network.load_state_dict(state.last)
    module = CTCTraining(
        network,
        settings,
        material=material,
        training=training,
        validation=validation,
        first_epoch=done,
        state={"optimizer": state.optimizer, "schedule": state.schedule} if done else None,
    )
    module.train()
    callbacks = [
        EpochLog(state, max_minutes=max_minutes, save=save),
        *([ProgressBar(state)] if progress else []),
    ]
    # Nothing in the network draws random numbers; what Lightning and the loaders draw must not show outside.
    with quiet_lightning(), torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        trainer = Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=[device.index or 0] if device.type == "cuda" else 1,
            # One process, whatever scheduler the machine belongs to.
            plugins=[LightningEnvironment()],
            max_epochs=settings.epochs - done,
            gradient_clip_val=GRADIENT_NORM,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            limit_val_batches=1.0 if validation else 0,
            num_sanity_val_steps=0,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with interrupts_passed_on():
            trainer.fit(module)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's announcements and hints off the terminal: they do not concern our callers."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(lightning|torch|torchmetrics)\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def interrupts_passed_on() -> Iterator[None]:
    """Let Ctrl-C reach the caller: Lightning makes it an exit of the process that is deaf to the next one."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main_thread else None
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
