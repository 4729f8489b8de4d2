"""Optimiser and schedule of a run that goes on, checked against new ones before they are taken over."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import OneCycleLR

from snaps.errors import shortened

#: What a run changes in an optimiser's groups and in a schedule; the rest follows from the options.
CHANGING = frozenset({"lr", "betas", "_last_lr", "last_epoch", "_step_count", "_is_initial", "state"})


class UnfitStateError(ValueError):
    """The state of an optimiser or a schedule is not such as a run leaves."""


def take_over(optimizer: torch.optim.Optimizer, schedule: OneCycleLR, stored: Mapping[str, Any]) -> None:
    """Let a new optimiser and schedule go on where a run had left them.

    Parameters
    ----------
    optimizer, schedule : Optimizer, OneCycleLR
        New ones of the same network and options.
    stored : mapping
        Their states, as ``optimizer`` and ``schedule``.

    Raises
    ------
    UnfitStateError
        If they are states of others.
    """
    fresh = {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    _refuse_unlike(stored, fresh, what="the state", changing=False)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, held in _items(stored["optimizer"]["state"]):
        if type(number) is not int or not 0 <= number < len(trained):
            raise UnfitStateError(f"the optimiser's state is about a parameter {shortened(repr(number))}")
        for name, tensor in _items(held):
            shape = () if name == "step" else trained[number].shape
            if not isinstance(tensor, torch.Tensor) or tensor.shape != shape or not tensor.is_floating_point():
                raise UnfitStateError(f"the optimiser's {shortened(name)} does not fit the parameter {number}")
        if set(held) != {"step", "exp_avg", "exp_avg_sq"}:
            raise UnfitStateError(f"the optimiser's state of the parameter {number} has {shortened(sorted(held))}")
    if not 0 <= stored["schedule"]["last_epoch"] < schedule.total_steps:
        raise UnfitStateError(f"the schedule is at step {stored['schedule']['last_epoch']} of {schedule.total_steps}")
    optimizer.load_state_dict(stored["optimizer"])
    schedule.load_state_dict(stored["schedule"])


def _items(stored: Any) -> list[tuple[Any, Any]]:
    if not isinstance(stored, dict):
        raise UnfitStateError(f"the optimiser's state is a {type(stored).__name__}")
    return list(stored.items())


def _refuse_unlike(stored: Any, fresh: Any, *, what: str, changing: bool) -> None:
    """Refuse what is not built as `fresh` is, or has another value where a run changes none."""
    if type(stored) is not type(fresh) or (isinstance(stored, float) and not math.isfinite(stored)):
        raise UnfitStateError(f"{what} is {shortened(repr(stored))}, and not such as {shortened(repr(fresh))}")
    if what.endswith(".state"):
        return
    if isinstance(fresh, dict):
        if stored.keys() != fresh.keys():
            raise UnfitStateError(f"{what} has {shortened(list(stored))}, and not {shortened(list(fresh))}")
        for name, value in fresh.items():
            _refuse_unlike(stored[name], value, what=f"{what}.{name}", changing=changing or name in CHANGING)
    elif isinstance(fresh, list | tuple):
        if len(stored) != len(fresh):
            raise UnfitStateError(f"{what} has {len(stored)} values, and not {len(fresh)}")
        for number, value in enumerate(fresh):
            _refuse_unlike(stored[number], value, what=f"{what}.{number}", changing=changing)
    elif not changing and stored != fresh:
        raise UnfitStateError(f"{what} is {shortened(repr(stored))}, and not {shortened(repr(fresh))}")
