"""Small networks with random weights, and the ones whose every number is known."""

from collections.abc import Sequence

import torch

from snaps.models import Wav2Letter

SYMBOLS = ("a", "b", "c", "_")

#: (filters, kernel, stride) a layer: what each of these stacks is there for.
STACKS: dict[str, list[tuple[int, int, int]]] = {
    "odd kernels": [(5, 5, 1), (4, 3, 1), (4, 3, 1)],
    "even kernels": [(5, 4, 1), (4, 6, 1), (4, 2, 1)],
    "strides 2 and 1": [(5, 6, 2), (4, 3, 1), (4, 3, 1)],
    "strides 2 and 3": [(5, 3, 2), (4, 4, 3), (4, 2, 1)],
    "stride 3": [(5, 7, 3), (4, 3, 1), (4, 3, 1)],
    "stride in the last layer": [(5, 3, 1), (4, 3, 1), (4, 4, 2)],
    "one-step layers": [(4, 6, 2), (4, 3, 1), (6, 4, 1), (5, 1, 1), (4, 1, 1)],
    "kernels of one": [(4, 1, 1), (4, 1, 1)],
    "a kernel shorter than its stride": [(4, 3, 1), (4, 1, 2), (4, 3, 1)],
    "kernel nine": [(3, 9, 2), (3, 8, 1), (4, 9, 1)],
}


def random_wav2letter(
    layers: Sequence[tuple[int, int, int]],
    *,
    seed: int = 0,
    n_inputs: int = 6,
    norm: str = "before",
    padding: str = "same",
    symbols: Sequence[str] = SYMBOLS,
    blank: str | None = "_",
) -> Wav2Letter:
    """A ``Wav2Letter`` with random weights, biases, and normalisations that do something."""
    model = Wav2Letter(tuple(symbols), layers=list(layers), blank=blank, n_inputs=n_inputs, norm=norm, padding=padding)
    return randomised(model, seed=seed)


def randomised(model: torch.nn.Module, *, seed: int) -> torch.nn.Module:
    """The same module in evaluation mode with weights drawn anew."""
    generator = torch.Generator().manual_seed(seed)

    def draw(like: torch.Tensor, centre: float, spread: float) -> torch.Tensor:
        return centre + spread * torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.copy_(draw(module.running_mean, 0.0, 0.4))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
                module.weight.copy_(draw(module.weight, 1.0, 0.3))
                module.bias.copy_(draw(module.bias, 0.2, 0.3))
            elif isinstance(module, torch.nn.Conv1d):
                fan_in = module.weight[0].numel()
                module.weight.copy_(draw(module.weight, 0.0, (2 / fan_in) ** 0.5))
                if module.bias is not None:
                    module.bias.copy_(draw(module.bias, 0.1, 0.3))
        _balance(model)
    return model.eval()


def _balance(model: torch.nn.Module) -> None:
    """Keep the last layer from preferring one symbol whatever it hears."""
    found = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm1d | torch.nn.Conv1d)]
    if not found:
        return
    last = next(module for module in reversed(found) if isinstance(module, torch.nn.Conv1d))
    last.weight.sub_(last.weight.mean(dim=(1, 2), keepdim=True))
    if last.bias is not None:
        last.bias.mul_(0.2)
    if isinstance(found[-1], torch.nn.BatchNorm1d):
        found[-1].bias.zero_()
        found[-1].running_mean.zero_()
