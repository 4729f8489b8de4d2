"""Networks that are up to something, each with a well-behaved twin where there is one."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tests.definitions.networks import randomised

SYMBOLS = ("x", "y", "z")
CONTEXTS = {
    "frame": {"context": "frame", "symbols": SYMBOLS, "frame_steps": 16, "frame_hop": 3},
    "recording": {"context": "recording", "symbols": SYMBOLS},
}
Build = Callable[[], nn.Module]


def clean() -> nn.Sequential:
    """Convolution, ReLU, convolution: what most of the others are made of."""
    return randomised(nn.Sequential(nn.Conv1d(6, 4, 5), nn.ReLU(), nn.Conv1d(4, 3, 3)), seed=0)


def with_module(place: int, module: nn.Module) -> nn.Sequential:
    """The clean network with another module at one place."""
    network = clean()
    network[place] = module
    return network


class Around(nn.Module):
    """A network that does something around another one."""

    def __init__(self, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.inner = clean() if inner is None else inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def around(forward: Callable[[Around, Tensor], object]) -> Build:
    """A builder of networks with such a forward function."""
    return lambda: type("Around", (Around,), {"forward": forward})()


class TwoBranches(Around):
    """Adds a branch to the trunk, in place or not."""

    in_place = False

    def __init__(self) -> None:
        super().__init__()
        self.branch = randomised(nn.Conv1d(4, 4, 1), seed=1)

    def forward(self, x: Tensor) -> Tensor:
        trunk = self.inner[0](x)
        added = self.branch(trunk.relu())
        if self.in_place:
            added += trunk
            added.relu_()
        else:
            added = (added + trunk).relu()
        return self.inner[2](added)


class TwoBranchesInPlace(TwoBranches):
    in_place = True


class Counting(Around):
    """Counts its runs in buffers: one it changes, and one it puts another in the place of."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))
        self.register_buffer("heard", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        self.heard = self.heard + 1
        return self.inner(x)


class Padless(nn.Module):
    """Without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :3] * x[:, 3:]


def with_batch_norm() -> nn.Sequential:
    body = nn.Sequential(nn.Conv1d(6, 4, 5), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv1d(4, 3, 3))
    return randomised(body, seed=0)


def two_relus(*, shared: bool) -> nn.Sequential:
    first = nn.ReLU()
    second = first if shared else nn.ReLU()
    body = nn.Sequential(nn.Conv1d(6, 4, 5), first, nn.Conv1d(4, 4, 2), second, nn.Conv1d(4, 3, 1))
    return randomised(body, seed=0)


def two_convolutions(*, shared: bool) -> nn.Sequential:
    first = randomised(nn.Conv1d(6, 6, 3), seed=1)
    second = first if shared else randomised(nn.Conv1d(6, 6, 3), seed=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), randomised(nn.Conv1d(6, 3, 3), seed=2))


def normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Sequential:
    network = clean()
    norm(network[0])
    return network


def stale_weight_norm() -> nn.Sequential:
    """Weight normalisation of the older kind, whose hook has not run since its weights were set."""
    network = normed(nn.utils.weight_norm)
    with torch.no_grad():
        network[0].weight_v.mul_(2)
        network[0].weight_g.mul_(3)
    return network


def fresh_weight_norm() -> nn.Sequential:
    network = clean()
    with torch.no_grad():
        network[0].weight.mul_(3)
    return network


def observed() -> nn.Sequential:
    network = clean()
    network[0].register_forward_hook(lambda *_: None)
    network[1].register_forward_pre_hook(lambda *_: None)
    network.register_forward_hook(lambda *_: None)
    return network


def hooked(place: int | None = 0) -> nn.Module:
    """A hook that doubles what a module, or the network, gives."""
    network = clean()
    (network if place is None else network[place]).register_forward_hook(lambda module, given, result: 2 * result)
    return network


def hooked_before() -> nn.Module:
    network = clean()
    network[2].register_forward_pre_hook(lambda module, given: (2 * given[0],))
    return network


def hooked_backward() -> nn.Module:
    network = clean()
    network[0].register_full_backward_hook(lambda module, given, result: (2 * given[0],))
    return network


def patched() -> nn.Module:
    network = clean()
    forward = network[0].forward
    network[0].forward = lambda x: 2 * forward(x)
    return network


def weights(change: Callable[[nn.Sequential], object], build: Build = clean) -> Build:
    """A network whose weights are changed."""

    def built() -> nn.Module:
        network = build()
        with torch.no_grad():
            change(network)
        return network

    return built


class Twin(NamedTuple):
    """A network that has to have the profiles of another, in some contexts."""

    build: Build
    like: Build
    contexts: tuple[str, ...] = ("frame", "recording")
    tolerance: float = 0.0


def _scaled(number: float) -> Build:
    return around(lambda self, x: self.inner(x) * number)


def _out_of_inference() -> nn.Module:
    with torch.inference_mode():
        return clean()


FRAME = ("frame",)
TWINS: dict[str, Twin] = {
    "a ReLU in place": Twin(lambda: with_module(1, nn.ReLU(inplace=True)), clean),
    "an ELU in place": Twin(
        lambda: with_module(1, nn.ELU(inplace=True)), lambda: with_module(1, nn.ELU()), tolerance=1e-6
    ),
    "sums and ReLUs in place": Twin(TwoBranchesInPlace, TwoBranches, FRAME),
    "relu_ of a result": Twin(around(lambda self, x: self.inner[2](self.inner[0](x).relu_())), clean),
    "training mode": Twin(lambda: with_batch_norm().train(), with_batch_norm),
    "one ReLU used twice": Twin(lambda: two_relus(shared=True), lambda: two_relus(shared=False)),
    "one convolution used twice": Twin(
        lambda: two_convolutions(shared=True), lambda: two_convolutions(shared=False)
    ),
    "one that doubles its input in place": Twin(
        around(lambda self, x: self.inner(x.mul_(2))), around(lambda self, x: self.inner(x * 2)), FRAME
    ),
    "one that zeroes its input afterwards": Twin(
        around(lambda self, x: (self.inner(x.clone()), x.detach().zero_())[0]), clean, FRAME
    ),
    "frozen weights": Twin(lambda: clean().requires_grad_(False), clean),
    "counters": Twin(Counting, clean),
    "double precision": Twin(lambda: clean().double(), clean, tolerance=1e-6),
    "a result in double precision": Twin(around(lambda self, x: self.inner(x).double()), clean, FRAME, 1e-6),
    "results that are not contiguous": Twin(
        around(lambda self, x: self.inner(x).transpose(1, 2).contiguous().transpose(1, 2)), clean, FRAME
    ),
    "weight normalisation": Twin(lambda: normed(nn.utils.parametrizations.weight_norm), clean, tolerance=1e-6),
    "stale weight normalisation": Twin(stale_weight_norm, fresh_weight_norm, tolerance=1e-6),
    "hooks that look on": Twin(observed, clean),
    "wrapped for several devices": Twin(lambda: nn.DataParallel(clean()), clean, FRAME),
    "compiled": Twin(lambda: torch.compile(clean(), backend="eager"), clean, FRAME),
    "traced by jit": Twin(lambda: torch.jit.trace(clean(), torch.zeros(1, 6, 16)), clean, FRAME, 1e-6),
    "weights out of inference mode": Twin(_out_of_inference, clean, ("recording",)),
}  # fmt: skip


class Refused(NamedTuple):
    """A network that is refused in some contexts, with words that the sentence holds."""

    build: Build
    words: tuple[str, ...]
    contexts: tuple[str, ...] = ("frame", "recording")


def _raises(self: Around, x: Tensor) -> Tensor:
    raise ValueError("broken\non  purpose")


def _raises_late(self: Around, x: Tensor) -> Tensor:
    self.runs = getattr(self, "runs", 0) + 1
    if self.runs > 3:
        raise ValueError("broken\nlater")
    return self.inner(x)


def _other_steps(self: Around, x: Tensor) -> Tensor:
    self.runs = getattr(self, "runs", 0) + 1
    return self.inner(x)[..., : 1 + self.runs % 5]


def _other_steps_by_batch(self: Around, x: Tensor) -> Tensor:
    return self.inner(x)[..., : 1 + len(x)]


def _without_gradient(self: Around, x: Tensor) -> Tensor:
    with torch.no_grad():
        return self.inner(x)


def _changes_its_weights(self: Around, x: Tensor) -> Tensor:
    with torch.no_grad():
        self.inner[0].weight.mul_(0.5)
    return self.inner(x)


def _saves_and_changes(self: Around, x: Tensor) -> Tensor:
    bent = self.inner[0](x).relu()
    bent += 1
    return self.inner[2](bent)


REFUSED: dict[str, Refused] = {
    "a tuple": Refused(around(lambda self, x: (self.inner(x),)), ("tuple",)),
    "a dictionary": Refused(around(lambda self, x: {"scores": self.inner(x)}), ("dict",)),
    "a list": Refused(around(lambda self, x: [self.inner(x)]), ("list",)),
    "nothing": Refused(around(lambda self, x: None), ("NoneType", "logits"), FRAME),
    "four dimensions": Refused(around(lambda self, x: self.inner(x)[:, None]), ("logits", "(5, 1, 3, 10)"[3:]), FRAME),
    "one dimension": Refused(around(lambda self, x: self.inner(x).sum((1, 2))), ("logits", "shape (2,)"), FRAME),
    "another batch": Refused(around(lambda self, x: self.inner(x).flatten(0, 1)), ("logits", "2 frames"), FRAME),
    "integers": Refused(around(lambda self, x: self.inner(x).long()), ("logits", "int64", "floating"), FRAME),
    "truth values": Refused(around(lambda self, x: self.inner(x) > 0), ("logits", "bool"), FRAME),
    "complex results": Refused(around(lambda self, x: self.inner(x) * 1j), ("logits", "complex64"), FRAME),
    "complex weights": Refused(lambda: nn.Sequential(nn.Conv1d(6, 3, 4, dtype=torch.complex64)), ("complex",)),
    "one that raises": Refused(around(_raises), ("Around", "broken on purpose")),
    "one that raises later": Refused(around(_raises_late), ("Around", "broken later"), FRAME),
    "one without end": Refused(around(lambda self, x: self(x)), ("Around", "recursion")),
    "other steps each time": Refused(around(_other_steps), ("Around", "the same frames again"), FRAME),
    "other steps by batch": Refused(around(_other_steps_by_batch), ("logits", "3 steps", "now gives"), FRAME),
    "something at random": Refused(around(lambda self, x: self.inner(x) + torch.randn(())), ("again", "random"), FRAME),
    "dropout at all times": Refused(
        around(lambda self, x: nn.functional.dropout(self.inner(x), 0.5)), ("Around", "random", "evaluation")
    ),
    "no gradient": Refused(around(_without_gradient), ("no gradient", "Around"), FRAME),
    "a constant": Refused(around(lambda self, x: torch.ones(len(x), 3)), ("no gradient", "Around"), FRAME),
    "changed weights": Refused(around(_changes_its_weights), ("changes its weights", "inner.0.weight"), FRAME),
    "an activation changed in place that its gradient needs": Refused(
        around(_saves_and_changes), ("Sensitivity", "Around", "inplace"), FRAME
    ),
    "weights on meta": Refused(lambda: clean().to("meta"), ("'0.weight'", "meta")),
    "lazy weights": Refused(lambda: nn.Sequential(nn.LazyConv1d(3, 3)), ("'0.weight'", "run once")),
    "weights out of inference mode": Refused(_out_of_inference, ("'0.weight'", "inference_mode"), FRAME),
    "fewer outputs than symbols": Refused(lambda: randomised(nn.Sequential(nn.Conv1d(6, 2, 3)), seed=0), ("2", "3")),
    "more outputs than symbols": Refused(lambda: randomised(nn.Sequential(nn.Conv1d(6, 4, 3)), seed=0), ("4", "3")),
    "other input units": Refused(lambda: randomised(nn.Sequential(nn.Conv1d(5, 3, 3)), seed=0), ("r0", "5", "6")),
    "a longer kernel than a frame": Refused(lambda: nn.Sequential(nn.Conv1d(6, 3, 30)), ("30", "16"), FRAME),
    "a hook that doubles": Refused(hooked, ("hook", "'0'", "frame"), ("recording",)),
    "a hook on the network": Refused(lambda: hooked(None), ("hook", "network itself"), ("recording",)),
    "a hook before a module": Refused(hooked_before, ("hook", "'2'"), ("recording",)),
    "a hook on the way back": Refused(hooked_backward, ("hook", "'0'", "backward"), ("recording",)),
    "another forward function": Refused(patched, ("'0'", "forward"), ("recording",)),
}  # fmt: skip
