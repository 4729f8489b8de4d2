"""Lower layers taken over, frozen, and fine-tuned (SNAP, Table 2)."""

import pytest
import torch

from snaps.errors import InputError
from snaps.models import Wav2Letter
from snaps.training import LETTERS, create_network, train, transfer


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def source() -> Wav2Letter:
    network = create_network(("_", "iy", "sh"), "w2p_shallow", width=4, seed=1)
    network.norm3.running_mean.fill_(0.5)
    return network


def test_seed_alone_decides_the_weights():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, other = (create_network(LETTERS, "w2p_shallow", width=4, seed=2) for _ in range(2))
    assert same(one, other)
    assert not same(one, create_network(LETTERS, "w2p_shallow", width=4, seed=3))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("norm", ["before", "after"])
def test_lower_layers_are_taken_over_with_their_statistics(norm):
    source = create_network(("_", "iy"), "w2p_shallow", width=4, norm=norm, seed=1)
    source.norm3.running_mean.fill_(0.5)
    target = create_network(LETTERS, "w2l", width=4, norm=norm, seed=0)
    result = transfer(source, target)
    for number in range(1, 6):
        for name in (f"norm{number}", f"conv{number}"):
            assert same(result.get_submodule(name), source.get_submodule(name))
    for number in range(6, 13):
        for name in (f"norm{number}", f"conv{number}"):
            assert same(result.get_submodule(name), target.get_submodule(name))
    assert result.symbols == LETTERS
    assert not same(result, target)
    result.conv1.weight.data.zero_()
    assert source.conv1.weight.any()


def test_layers_that_do_not_fit_are_named(source):
    with pytest.raises(InputError, match=r"'conv1'.*has Conv1d\(128, 4, kernel_size=\(48,\).*has Conv1d\(128, 8"):
        transfer(source, create_network(LETTERS, "w2l", width=8))
    with pytest.raises(InputError, match=r"'conv1' .*has BatchNorm1d\(128, .*has BatchNorm1d\(64"):
        transfer(source, create_network(LETTERS, "w2l", width=4, n_inputs=64))
    with pytest.raises(InputError, match="'conv6'"):
        transfer(source, create_network(LETTERS, "w2l", width=4), layers=6)
    with pytest.raises(InputError, match="normalises before each convolution, the target after"):
        transfer(source, create_network(LETTERS, "w2l", width=4, norm="after"))
    for layers in (0, 7):
        with pytest.raises(InputError, match=f"layers is {layers}.*1 to 6"):
            transfer(source, create_network(LETTERS, "w2l", width=4), layers=layers)
    with pytest.raises(InputError, match="the target is a Linear"):
        transfer(source, torch.nn.Linear(1, 1))


@pytest.mark.parametrize("norm", ["before", "after"])
def test_frozen_layers_stay_bit_for_bit(networks, tones, quickly, norm):
    network = networks(norm=norm)
    network.norm1.running_mean.fill_(10.0)
    result = train(network, tones, frozen=1, **{**quickly, "epochs": 2})
    assert same(result.model.norm1, network.norm1)
    assert same(result.model.conv1, network.conv1)
    for name in ("norm2", "conv2", "norm3", "conv3"):
        assert not same(result.model.get_submodule(name), network.get_submodule(name))
    assert int(result.model.norm2.num_batches_tracked) > 0
    assert all(parameter.requires_grad for parameter in result.model.parameters())
    assert all(parameter.grad is None for parameter in result.model.parameters())


def test_fine_tuning_leaves_normalisation_alone(networks, tones, quickly):
    network = networks()
    network.norm1.running_mean.fill_(10.0)
    result = train(network, tones, freeze_normalization=True, **{**quickly, "epochs": 2})
    for number in (1, 2, 3):
        assert same(result.model.get_submodule(f"norm{number}"), network.get_submodule(f"norm{number}"))
        assert not same(result.model.get_submodule(f"conv{number}"), network.get_submodule(f"conv{number}"))
    assert all(parameter.requires_grad for parameter in result.model.parameters())


def test_flags_of_the_caller_are_kept(networks, tones, quickly):
    network = networks()
    network.conv2.requires_grad_(False)
    result = train(network, tones, **{**quickly, "epochs": 1})
    assert same(result.model.conv2, network.conv2)
    assert not result.model.conv2.weight.requires_grad
    assert result.model.conv1.weight.requires_grad


def test_freezing_everything_is_refused(network, tones):
    with pytest.raises(InputError, match="frozen is 3; the network has 3 convolutions"):
        train(network, tones, frozen=3)
    network.requires_grad_(False)
    with pytest.raises(InputError, match="nothing is left to train"):
        train(network, tones, progress=False)
