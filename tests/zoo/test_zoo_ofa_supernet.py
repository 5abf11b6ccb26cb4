"""Supernets against the published package, and sub-networks against their supernet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ofa_samples import published, random_supernet, tiny

from nasbuild.errors import NasbuildError
from nasbuild.space import Space, load_space, sample
from nasbuild.zoo.ofa import (
    Family,
    Layers,
    Network,
    Supernet,
    fashion,
    layers_of,
    load_weights,
    mobilenet_v3,
    proxylessnas,
    save_weights,
)
from nasbuild.zoo.ofa.train import sort_channels

FAMILIES = {
    "ofa-mobilenet-v3": (mobilenet_v3, 1.2, "OFAMobileNetV3"),
    "ofa-proxylessnas": (proxylessnas, 1.3, "OFAProxylessNASNets"),
}


def random_networks(space: Space, n: int, seed: int = 0) -> list[Layers]:
    return [layers_of(space, a) for a in sample(space, n, np.random.default_rng(seed), over="depths")]


def close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> bool:
    return float((ours - theirs).abs().max()) <= tolerance * float(theirs.abs().max())


@pytest.fixture(scope="module", params=FAMILIES)
def both(request):
    """Our supernet and the published one with the same random weights, and sub-networks of the space."""
    make, width, name = FAMILIES[request.param]
    family: Family = make(width, classes=50)
    ours = random_supernet(family)
    theirs = getattr(published(), name)(
        n_classes=50,
        bn_param=(0.1, 1e-5),
        dropout_rate=0,
        width_mult=width,
        ks_list=[3, 5, 7],
        expand_ratio_list=[3, 4, 6],
        depth_list=[2, 3, 4],
    )
    torch.nn.Module.load_state_dict(theirs, ours.state_dict())
    return ours, theirs.eval(), random_networks(load_space(request.param), 8)


def activate(theirs, family: Family, layers: Layers) -> None:
    """Choose the sub-network; blocks beyond a stage's depth keep any choice."""
    full = [
        layer
        for stage, module in zip(family.stages, layers, strict=True)
        for layer in (*module, *[(6, 7)] * (stage.depth - len(module)))
    ]
    theirs.set_active_subnet(
        ks=[kernel for _, kernel in full], e=[expand for expand, _ in full], d=[len(m) for m in layers]
    )


@torch.no_grad()
def test_outputs_equal_those_of_the_published_supernet_and_of_the_extracted_network(both):
    ours, theirs, networks = both
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for layers in networks:
        activate(theirs, ours.family, layers)
        known, found = theirs(x), ours(x, layers)
        assert close(found, known, 1e-5)
        assert close(ours.extract(layers)(x), found, 1e-5)
    # Other layers give something else, or all of this would say nothing.
    assert not close(ours(x, networks[0]), known, 1e-3)


def test_weights_have_the_published_names(both):
    ours, theirs, _ = both
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_extracted_networks_have_the_published_names(both):
    ours, theirs, networks = both
    activate(theirs, ours.family, networks[0])
    published_names = set(theirs.get_active_subnet().state_dict())
    assert set(ours.extract(networks[0]).state_dict()) == published_names


def older(name: str) -> str:
    return name.replace(".conv.inverted", ".mobile_inverted_conv.inverted").replace(".bn.bn.", ".bn.")


@pytest.mark.parametrize("wrapped", [True, False])
def test_older_checkpoints_are_read(tmp_path, wrapped):
    supernet = random_supernet(fashion())
    state = {older(k): v for k, v in supernet.state_dict().items() if "num_batches" not in k}
    torch.save({"state_dict": state} if wrapped else state, tmp_path / "old.pth")
    other = Supernet(fashion())
    load_weights(other, tmp_path / "old.pth")
    read = other.state_dict()
    for key, value in supernet.state_dict().items():
        if "num_batches" not in key:
            assert torch.equal(read[key], value), key


def test_safetensors_round_trip(tmp_path):
    supernet = random_supernet(tiny())
    save_weights(supernet, tmp_path / "s.safetensors")
    other = Supernet(tiny())
    load_weights(other, tmp_path / "s.safetensors")
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in supernet.state_dict().items())


class Bomb:
    def __reduce__(self):
        return (print, ("this code must not run",))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"first_conv.conv.weight": torch.zeros(1)}, "first_conv.conv.weight"),
        ({}, "holds no weight"),
        ([1, 2], "named tensors"),
        (Bomb(), "can't be read as weights"),
        ({**Supernet(tiny()).state_dict(), "more": torch.zeros(1)}, "'more'"),
    ],
)
def test_other_files_are_errors_and_run_no_code(tmp_path, capsys, held, message):
    torch.save(held, tmp_path / "w.pth")
    with pytest.raises(NasbuildError, match=message):
        load_weights(Supernet(tiny()), tmp_path / "w.pth")
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.zip"])
def test_a_file_without_weights_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(NasbuildError):
        load_weights(Supernet(tiny()), tmp_path / name)


def test_a_damaged_checkpoint_is_a_clear_error_or_loads(tmp_path):
    """Bytes are changed or cut anywhere; no exception of torch's reader escapes."""
    rng = np.random.default_rng(0)
    whole = {}
    for zipped in (True, False):
        torch.save(
            {"a": torch.zeros(3), "b": torch.ones(2)},
            tmp_path / "w.pth",
            _use_new_zipfile_serialization=zipped,
        )
        whole[zipped] = (tmp_path / "w.pth").read_bytes()
    refused, supernet = 0, Supernet(tiny())
    for n in range(200):
        data = bytearray(whole[n % 2 == 0])
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(len(data))] = rng.integers(256)
        (tmp_path / "w.pth").write_bytes(data[: rng.integers(len(data))] if n % 5 == 0 else data)
        with pytest.raises(NasbuildError):
            load_weights(supernet, tmp_path / "w.pth")
        refused += 1
    assert refused == 200


@torch.no_grad()
def test_sorting_channels_keeps_the_outputs_of_the_widest_networks():
    supernet = random_supernet(fashion())
    x = torch.randn(2, 1, 28, 28)
    wide = tuple(tuple((6, k) for k in (7, 5, 3)) for _ in supernet.family.stages)
    narrow = tuple(tuple((3, 7) for _ in range(3)) for _ in supernet.family.stages)
    before = [supernet(x, layers) for layers in (supernet.family.largest, wide, narrow)]
    sort_channels(supernet)
    after = [supernet(x, layers) for layers in (supernet.family.largest, wide, narrow)]
    assert close(after[0], before[0], 1e-4)
    # The squeeze narrows with the block; there, too, all channels of the widest stay.
    assert close(after[1], before[1], 1e-4)
    assert not close(after[2], before[2], 1e-2)
    norms = supernet.blocks[3].get_parameter("conv.point_linear.conv.conv.weight").abs().sum((0, 2, 3))
    assert (norms.diff() <= 0).all()


@pytest.mark.parametrize(
    "layers",
    [
        ((((6, 7),) * 2),),
        (((6, 7),) * 3, ((6, 7),)),
        (((6, 9),), ((6, 7),)),
        (((5, 3),), ((6, 7),)),
        ((), ((6, 7),)),
    ],
)
def test_layers_outside_the_family_are_errors(layers):
    for build in (lambda: Network(tiny(), layers), lambda: Supernet(tiny()).extract(layers)):
        with pytest.raises(NasbuildError, match="tiny"):
            build()


def test_layers_of_other_spaces_are_errors():
    space = load_space("digits-macro")
    architecture = sample(space, 1, np.random.default_rng(0))[0]
    with pytest.raises(NasbuildError, match="expand, kernel"):
        layers_of(space, architecture)
