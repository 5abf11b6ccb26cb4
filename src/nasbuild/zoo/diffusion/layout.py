"""Which channels each weight of a U-Net reads and writes, so that coupled weights are narrowed consistently."""

from __future__ import annotations

from dataclasses import dataclass

from nasbuild.zoo.diffusion.size import Size
from nasbuild.zoo.diffusion.space import RESIDUALS, STAGES, Plan


@dataclass(frozen=True)
class Channels:
    """A set of channels that several weights share, such as the stream of a stage that its residual layers add to.

    Attributes
    ----------
    basis
        Name of the set.
    count
        Number of its channels in this network.
    groups
        Equal parts that each lose the same share when the set is narrowed: groups of a norm, or heads.
    """

    basis: str
    count: int
    groups: int


Axis = tuple[Channels, ...] | None
"""Sets of channels along an axis of a weight, in order; None if the axis is never narrowed."""
Layout = dict[str, tuple[Axis, ...]]
"""Name of a weight -> its axes, without kernel axes."""

#: ``down4`` and the middle stage add to the output of ``down3``: SDv1.4 has no layer between that mixes channels.
_DEEP = "deep"


def layout_of(plan: Plan, size: Size) -> Layout:
    """Layout of all weights that can be narrowed.

    A stage has one stream of channels. On the way up every residual layer mixes it anew. If a layer is off, the next
    one reads the output of the previous one, channel by channel.
    """
    return _Builder(plan, size).built()


class _Builder:
    def __init__(self, plan: Plan, size: Size) -> None:
        self.plan, self.size, self.found = plan, size, Layout()

    def built(self) -> Layout:
        down, (mid, *up) = list(STAGES[:4]), STAGES[4:]
        first = self._stream(0, down[0])
        self._weight("conv_in", (first,), None)
        skips, before = [first], first
        for u, name in enumerate(down):
            stream = self._stream(u, _DEEP if name == "down4" else name)
            prefix = f"down_blocks.{u}"
            self._layers(prefix, u, [(before,)] + [(stream,)] * (RESIDUALS[u] - 1), stream)
            skips += [stream] * RESIDUALS[u]
            before = stream
            if u < len(down) - 1:
                before = self._stream(u, _DEEP if name == "down3" else f"{name}.sampled")
                self._weight(f"{prefix}.downsamplers.0.conv", (before,), (stream,))
                skips.append(before)
        self._layers("mid_block", STAGES.index(mid), [(before,)] * RESIDUALS[4], before)
        for i, name in enumerate(up):
            u = STAGES.index(name)
            stream = self._stream(u, name)
            taken = [skips.pop() for _ in range(RESIDUALS[u])]
            inputs = [(before if j == 0 else stream, skip) for j, skip in enumerate(taken)]
            self._layers(f"up_blocks.{i}", u, inputs, stream)
            before = stream
            if i < len(up) - 1:
                before = self._stream(u, f"{name}.sampled")
                self._weight(f"up_blocks.{i}.upsamplers.0.conv", (before,), (stream,))
        self._norm("conv_norm_out", (before,))
        self._weight("conv_out", None, (before,))
        return self.found

    def _stream(self, u: int, basis: str) -> Channels:
        return Channels(basis, self.size.width(self.plan[u].width), self.size.groups)

    def _layers(self, prefix: str, u: int, inputs: list[tuple[Channels, ...]], stream: Channels) -> None:
        for j in range(self.plan[u].residuals):
            self._residual(f"{prefix}.resnets.{j}", inputs[j], stream)
        for j in self.plan[u].attended:
            self._attention(f"{prefix}.attentions.{j}", stream)

    def _residual(self, name: str, inputs: tuple[Channels, ...], stream: Channels) -> None:
        middle = (Channels(name, stream.count, stream.groups),)
        self._norm(f"{name}.norm1", inputs)
        self._weight(f"{name}.conv1", middle, inputs)
        self._weight(f"{name}.time_emb_proj", middle, None)
        self._norm(f"{name}.norm2", middle)
        self._weight(f"{name}.conv2", (stream,), middle)
        self._weight(f"{name}.conv_shortcut", (stream,), inputs)

    def _attention(self, name: str, stream: Channels) -> None:
        width, heads = stream.count, self.size.heads
        inner = (Channels(name, width, 1),)
        self._norm(f"{name}.norm", (stream,))
        self._weight(f"{name}.proj_in", inner, (stream,))
        block = f"{name}.transformer_blocks.0"
        for i, source in ((1, inner), (2, None)):
            queries, values = (
                (Channels(f"{block}.attn{i}.{part}", width, heads),) for part in ("queries", "values")
            )
            self._weight(f"{block}.attn{i}.to_q", queries, inner)
            self._weight(f"{block}.attn{i}.to_k", queries, source)
            self._weight(f"{block}.attn{i}.to_v", values, source)
            self._weight(f"{block}.attn{i}.to_out.0", inner, values)
        for i in (1, 2, 3):
            self._norm(f"{block}.norm{i}", inner)
        hidden = Channels(f"{block}.ff", 4 * width, 1)
        # Two halves: values, and their gates.
        self._weight(f"{block}.ff.net.0.proj", (hidden, hidden), inner)
        self._weight(f"{block}.ff.net.2", inner, (hidden,))
        self._weight(f"{name}.proj_out", (stream,), inner)

    def _weight(self, name: str, outputs: Axis, inputs: Axis) -> None:
        self.found[f"{name}.weight"] = outputs, inputs
        self.found[f"{name}.bias"] = (outputs,)

    def _norm(self, name: str, channels: tuple[Channels, ...]) -> None:
        self.found[f"{name}.weight"] = self.found[f"{name}.bias"] = (channels,)
