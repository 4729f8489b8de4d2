"""LRP by its formulas: every linear layer as a matrix, every relevance as a sum over pairs, in float64."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def as_matrix(layer: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (in, out) and bias (out) of an affine function of one frame, measured on unit vectors."""
    with torch.no_grad():
        bias = layer(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
        units = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
        rows = torch.stack([layer(unit[None]).flatten() - bias for unit in units])
    return rows.numpy(), bias.numpy()


def zero(a, w, b, r, **_):
    z = a @ w + b
    return np.array([sum(a[i] * w[i, k] / z[k] * r[k] for k in range(len(r)) if z[k] != 0) for i in range(len(a))])


def epsilon(a, w, b, r, *, epsilon=0.25, **_):
    z = a @ w + b
    z = z + epsilon * np.where(z < 0, -1, 1)
    return np.array([sum(a[i] * w[i, k] / z[k] * r[k] for k in range(len(r))) for i in range(len(a))])


def gamma(a, w, b, r, *, gamma=0.25, **_):
    return zero(a, w + gamma * np.maximum(w, 0), b + gamma * np.maximum(b, 0), r)


def alpha_beta(a, w, b, r, *, alpha=2.0, beta=1.0, **_):
    z = a[:, None] * w
    up, down = np.maximum(z, 0), np.minimum(z, 0)
    all_up, all_down = up.sum(0) + np.maximum(b, 0), down.sum(0) + np.minimum(b, 0)
    found = np.zeros(len(a))
    for i in range(len(a)):
        for k in range(len(r)):
            if all_up[k] != 0:
                found[i] += alpha * up[i, k] / all_up[k] * r[k]
            if all_down[k] != 0:
                found[i] -= beta * down[i, k] / all_down[k] * r[k]
    return found


def zplus(a, w, b, r, **_):
    return alpha_beta(a, w, b, r, alpha=1.0, beta=0.0)


def flat(a, w, b, r, *, seen, **_):
    return np.array([sum(seen[i, k] / seen[:, k].sum() * r[k] for k in range(len(r))) for i in range(len(a))])


def krug2018(a, w, b, r, *, normalised, **_):
    """Equations 3 and 4 of the NAvAI paper; `w` and `b` are those before the normalisation."""
    z = a @ w + b
    ratio = a[:, None] * w / (np.abs(z) + 1e-21) * np.sign(normalised)
    found = ratio @ r
    return found / np.abs(found).max()


RULES = {
    "zero": zero, "epsilon": epsilon, "gamma": gamma, "alpha-beta": alpha_beta, "zplus": zplus, "flat": flat,
    "krug2018": krug2018,
}  # fmt: skip


def relevances(
    layers: Sequence[Callable[[Tensor], Tensor]],
    x: np.ndarray,
    rules: Sequence[Callable[..., np.ndarray]],
    *,
    start: Callable[[np.ndarray], np.ndarray],
    plain: Sequence[Callable[[Tensor], Tensor]] | None = None,
) -> list[np.ndarray]:
    """Relevance of one frame before every linear layer, with a ReLU between each two; the input's first.

    `plain` are the layers without the normalisation behind them, for the rule that asks for it.
    """
    inputs, shapes = [x.ravel()], [x.shape]
    outputs = []
    for number, layer in enumerate(layers):
        with torch.no_grad():
            y = layer(torch.from_numpy(inputs[-1].reshape(1, *shapes[-1])))[0].numpy()
        outputs.append(y.ravel())
        shapes.append(y.shape)
        inputs.append(y.ravel() if number == len(layers) - 1 else np.maximum(y.ravel(), 0))
    relevance = start(outputs[-1])
    found = [relevance]
    for number in reversed(range(len(layers))):
        w, b = as_matrix((plain or layers)[number], shapes[number])
        seen, _ = as_matrix(layers[number], shapes[number])
        relevance = rules[number](
            inputs[number], w, b, relevance, normalised=outputs[number], seen=(np.abs(seen) > 0).astype(float)
        )
        found.insert(0, relevance)
    return [one.reshape(shape) for one, shape in zip(found, shapes, strict=True)]
