"""The sd-unet space, and the plans of its architectures."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from nasbuild.errors import NasbuildError
from nasbuild.space import contains, count_architectures, load_space, sample
from nasbuild.zoo.diffusion.size import SIZES, size_of
from nasbuild.zoo.diffusion.space import (
    LEVELS,
    NARROW,
    STAGES,
    WIDE,
    StagePlan,
    plan_of,
    sd_unet,
    sd_v1_4,
)


def test_the_builtin_space_equals_the_one_in_code():
    assert load_space("sd-unet") == sd_unet()
    assert count_architectures(sd_unet()) == 4 * 4 * 8 * 4 * 3 * 4 * 8 * 4 * 4 == 786_432


def test_sd_v1_4_is_in_the_space():
    # Rombach et al.: attention at the three highest resolutions on both ways, and in the middle.
    assert contains(sd_unet(), sd_v1_4())
    plan = plan_of(sd_unet(), sd_v1_4())
    assert [s.width for s in plan] == [320, 640, 1280, 1280, 1280, 1280, 1280, 640, 320]
    assert [s.residuals for s in plan] == [2, 2, 2, 2, 2, 3, 3, 3, 3]
    assert [s.attended for s in plan] == [(0, 1)] * 3 + [()] + [(0,)] + [()] + [(0, 1, 2)] * 3


def test_early_stages_have_attention_only_in_sd_v1_4s_module():
    own = sd_v1_4()
    for name in ("down1", "down2", "up3", "up4"):
        u = STAGES.index(name)
        attended = [m for m in sd_unet().stages[u].modules or () if any(layer[0] == "attn" for layer in m)]
        assert attended == [own.modules[u]]


def test_the_middle_has_the_width_of_its_input():
    widths = set()
    for architecture in sample(sd_unet(), 40, np.random.default_rng(0)):
        plan = plan_of(sd_unet(), architecture)
        assert plan[4].width == plan[3].width
        widths.add(plan[4].width)
        assert all(s.residuals >= 1 and all(j < s.residuals for j in s.attended) for s in plan)
    assert widths == {768, 1280}


def test_a_plan_lists_the_layers_followed_by_attention():
    space = sd_unet()
    module = tuple((op, 768) for op in ("res", "attn", "res"))
    assert module in (space.stages[2].modules or ())
    assert plan_of(space, sd_v1_4().replace(2, module))[2] == StagePlan(768, 2, (0,))


@pytest.mark.parametrize("size", SIZES.values(), ids=lambda s: s.name)
def test_every_width_is_divisible_by_groups_and_heads(size):
    for channels in {*WIDE, *NARROW, *(WIDE[v] for v in LEVELS)}:
        assert channels % size.divisor == 0
        assert size.width(channels) % size.groups == size.width(channels) % size.heads == 0


def test_an_unknown_size_or_space_is_an_error():
    with pytest.raises(NasbuildError, match="unknown size 'large'; allowed: tiny, mini, full"):
        size_of("large")
    space = load_space("digits-macro")
    with pytest.raises(NasbuildError, match="digits-macro"):
        plan_of(space, sample(space, 1, np.random.default_rng(0))[0])


def test_importing_loads_no_heavy_packages():
    code = (
        "import sys, nasbuild.zoo.diffusion as d; d.sd_unet(); d.sd_v1_4();"
        "print({'torch', 'diffusers', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
