"""The same work done in the plain way and with captum, for comparison."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.work import FRAME_STEPS, STRIDE
from snaps.datasets import Recording, interval_labels
from snaps.models import Wav2Letter

LAGS = 206


def frames_of(recording: Recording) -> tuple[Tensor, list[str | None]]:
    """Frames as a batch, and the phoneme at the centre of each."""
    features = torch.from_numpy(recording.features)
    frames = features.unfold(1, FRAME_STEPS, STRIDE).movedim(1, 0)
    times = (np.arange(len(frames)) * STRIDE + FRAME_STEPS // 2) * recording.step
    return frames, list(interval_labels(recording.tiers["phoneme"], times))


class Modular(nn.Module):
    """The same-padded network with a module for every layer, as hooks and captum need it."""

    def __init__(self, model: Wav2Letter) -> None:
        super().__init__()
        self.model = model
        self.layers = nn.ModuleList(_Layer(model, number) for number in range(1, len(model.shapes) + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scores at the middle output step."""
        for layer in self.layers:
            x = layer(x)
        return x[..., x.shape[-1] // 2]


class _Layer(nn.Module):
    def __init__(self, model: Wav2Letter, number: int) -> None:
        super().__init__()
        self.norm, self.conv = model.get_submodule(f"norm{number}"), model.get_submodule(f"conv{number}")
        self.last = number == len(model.shapes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        missing = (-(-x.shape[-1] // self.conv.stride[0]) - 1) * self.conv.stride[0] + self.conv.kernel_size[0]
        missing -= x.shape[-1]
        x = self.conv(nn.functional.pad(x, (missing // 2, missing - missing // 2)))
        return x if self.last else x.relu()


class Sums:
    """Running sums per group, vectorised in NumPy."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, int, str], list[np.ndarray]] = {}

    def add(self, layer: int, activation: np.ndarray, saliency: np.ndarray, groups: dict[str, np.ndarray]) -> None:
        """Align a batch of one layer at the peak of the smoothed product, and add it to its groups."""
        steps = activation.shape[-1]
        padded = np.pad(saliency, ((0, 0), (0, 1), (0, 1)))
        smoothed = (padded[:, 1:, 1:] + padded[:, :-1, 1:] + padded[:, 1:, :-1] + padded[:, :-1, :-1]) / 4
        peak = np.abs(smoothed * activation).max(axis=1).argmax(axis=1)
        steps_at = peak[:, None] + np.arange(-(steps // 2), steps - steps // 2)
        covered = (steps_at >= 0) & (steps_at < steps)
        index = np.clip(steps_at, 0, steps - 1)[:, None, :]
        shifted = np.take_along_axis(activation, index, axis=2) * covered[:, None]
        masks = np.take_along_axis(np.abs(saliency), index, axis=2) * covered[:, None]
        for name, labels in groups.items():
            for label in np.unique(labels):
                chosen = labels == label
                parts = [shifted[chosen].sum(0), masks[chosen].sum(0), covered[chosen].sum(0), chosen.sum()]
                totals = self.totals.setdefault((name, layer, str(label)), [0.0] * 4)
                for place, part in enumerate(parts):
                    totals[place] = totals[place] + np.asarray(part, dtype=np.float64)


def _groups(labels: list[str | None], predicted: Tensor) -> dict[str, np.ndarray]:
    return {"phoneme": np.array(labels, dtype=str), "predicted": predicted.cpu().numpy().astype(str)}


def plain(model: Wav2Letter, corpus: list[Recording], *, batch: int = 32) -> int:
    """A: hooks on every layer of the padded network, one ``autograd.grad`` for all of them."""
    network, sums, done = Modular(model), Sums(), 0
    kept: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _m, _i, output: kept.append(output)) for layer in network.layers]
    try:
        for frames, labels in _batches(corpus, batch):
            kept.clear()
            x = frames.clone().requires_grad_()
            logits = network(x)
            predicted = logits.argmax(1)
            tapped = [x, *kept]
            saliency = torch.autograd.grad(logits.gather(1, predicted[:, None]).sum(), tapped)
            for number, (activation, gradient) in enumerate(zip(tapped, saliency, strict=True)):
                sums.add(number, activation.detach().numpy(), gradient.numpy(), _groups(labels, predicted))
            done += len(frames)
    finally:
        for hook in hooks:
            hook.remove()
    return done


def captum(model: Wav2Letter, corpus: list[Recording], *, batch: int = 32) -> int:
    """B: captum's saliency of the input, and its layer gradients and activations, layer by layer."""
    from captum._utils.gradient import compute_layer_gradients_and_eval
    from captum.attr import LayerActivation, Saliency

    network, sums, done = Modular(model), Sums(), 0
    for frames, labels in _batches(corpus, batch):
        x = frames.clone().requires_grad_()
        predicted = network(x).argmax(1)
        groups = _groups(labels, predicted)
        gradient = Saliency(network).attribute(x, target=predicted, abs=False)
        sums.add(0, x.detach().numpy(), gradient.detach().numpy(), groups)
        for number, layer in enumerate(network.layers, start=1):
            gradients, _ = compute_layer_gradients_and_eval(network, layer, x, predicted)
            activation = LayerActivation(network, layer).attribute(x)
            sums.add(number, activation.detach().numpy(), gradients[0].detach().numpy(), groups)
        done += len(frames)
    return done


def _batches(corpus: list[Recording], size: int) -> Iterator[tuple[Tensor, list[str | None]]]:
    for recording in corpus:
        frames, labels = frames_of(recording)
        for begin in range(0, len(frames), size):
            yield frames[begin : begin + size], labels[begin : begin + size]


RIVALS: dict[str, Callable[..., int]] = {"A": plain, "B": partial(captum, batch=16)}
