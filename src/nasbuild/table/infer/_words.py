"""What the names of columns say: metrics and their directions, depths, ids, and what describes a run only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["architecture", "metric", "ignore"]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _set(text: str) -> frozenset[str]:
    return frozenset(_listed(text))


_BETTER_MORE = _set(
    "acc accuracy top1 top5 auc auroc f1 map ap miou iou psnr ssim bleu rouge precision recall r2 fps qps tps throughput em "
    "mcc ndcg srcc plcc corr spearman kendall dice jaccard kappa elo reward speedup winrate"
)
_LESS_FIRST = _set("loss error err wer cer drop degradation regret")
_LESS = _set(
    "latency lat params param parameters parameter flops flop macs mac madds madd gflops mflops gmacs mmacs ops energy ppl "
    "perplexity fid kid mse rmse mae mape nll kld kl bpb bpc bpw lpips nme eer epe cycles edp joule joules"
)
_MORE_WEAK = _set("score quality")
_LESS_WEAK = _set("size time memory mem vram ram cost power area bytes mb gb kb duration runtime delay ms us")
_SPREAD = _set("std stddev var variance sem stderr")
_SPLITS = _set("val valid validation test eval")
_UNITS = {
    "ms": "ms", "us": "us", "mb": "MB", "gb": "GB", "kb": "KB", "mj": "mJ", "mw": "mW", "fps": "1/s", "gmacs": "GMACs",
    "mmacs": "MMACs", "gflops": "GFLOPs", "mflops": "MFLOPs",
}  # fmt: skip
_COUNTED = "imgs? images? samples? examples? tokens? toks? frames? quer(?:y|ies) requests? reqs? inferences? infs? items? its? batch(?:es)?"
_RATE = re.compile(rf"(?:^|_)({_COUNTED.replace(' ', '|')})_(?:per_)?(?:s|secs?|seconds?)(?:_|$)")
"""How many per second: img_per_s, tokens/s, samples_per_second."""
_HYPERPARAMETER = _set(
    "lr rate wd decay dropout droppath momentum warmup alpha beta gamma eps epsilon temperature smoothing mixup cutmix clip "
    "lambda tau sigma ratio mult multiplier width scale batch prob probability"
)
DEPTHS = _set(
    "d depth depths n_layers num_layers nlayers n_layer num_layer n_blocks num_blocks nblocks layers blocks repeats repeat "
    "num_repeats n_repeats num_hidden_layers n l"
)
CONTAINERS = _set(
    "stage stages block blocks blk blks layer layers unit units cell cells level levels module modules group groups stg "
    "node nodes edge edges position slot b s u"
)
IDS = _listed(
    "id arch_id archid architecture_id network_id net_id model_id run_id trial_id trial number uid uuid run_name run name "
    "arch_name architecture_name model_name model network net subnet subnetwork sub_network candidate candidate_id arch "
    "architecture index idx hash key"
)
_RUN_ONLY = _set(
    "status state created user notes tags sweep seed random_state hostname host pid date datetime timestamp artifact_uri "
    "experiment_id experiment experiment_name start_time end_time time_start time_end datetime_start datetime_complete "
    "duration project entity group job_type device gpu checkpoint ckpt path file logdir log_dir step steps iteration "
    "epoch epochs training_iteration trainable trial node_ip done dataset data commit git_commit version comment comments "
    "runtime lifecycle_stage user_id source"
)
_PREFIXES: tuple[tuple[str, Side], ...] = (
    ("data.params.", "architecture"),
    ("data.metrics.", "metric"),
    ("data.tags.", "ignore"),
    ("info.", "ignore"),
    ("config.", "architecture"),
    ("config/", "architecture"),
    ("params.", "architecture"),
    ("hparams.", "architecture"),
    ("hparams/", "architecture"),
    ("hyperparameters.", "architecture"),
    ("arch.", "architecture"),
    ("architecture.", "architecture"),
    ("args.", "architecture"),
    ("metrics.", "metric"),
    ("metrics/", "metric"),
    ("summary.", "metric"),
    ("summary/", "metric"),
    ("results.", "metric"),
    ("result.", "metric"),
    ("tags.", "ignore"),
    ("system_attrs_", "ignore"),
)
_OF_STUDY: tuple[tuple[str, Side], ...] = (
    ("params_", "architecture"),
    ("user_attrs_", "metric"),
    ("values_", "metric"),
    ("value_", "metric"),
)
_BRACKETS = re.compile(r"[\(\[]\s*([^\)\]]*?)\s*[\)\]]\s*$")


@dataclass(frozen=True)
class MetricWords:
    """What a name says about a metric.

    Attributes
    ----------
    strength
        Whether it is one: 2 for sure, 1 if the values agree, 0 if nothing says so.
    direction
        None if the name does not say what is better.
    """

    strength: int
    direction: str | None
    unit: str


def words(name: str) -> list[str]:
    """The words of a name, in lower case: ``valTop1Acc`` is val, top1, acc."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[a-z]+[0-9]*|[0-9]+", spaced.lower())


def normal(name: str) -> str:
    """A name with underscores between its words."""
    return "_".join(words(name))


def side_of(name: str, names: frozenset[str]) -> tuple[Side | None, str]:
    """What the prefix of a column says, and the rest of its name."""
    study = "number" in names and any(n == "value" or n.startswith(("value_", "values_")) for n in names)
    if not study and name.startswith("params_"):
        # Of a study, or counted parameters such as params_m.
        rest = name.removeprefix("params_")
        several = sum(other.startswith("params_") for other in names) > 2
        return ("architecture", rest) if rest and (several or is_hyperparameter(rest)) else (None, name)
    for prefix, side in (*(_OF_STUDY if study else ()), *_PREFIXES):
        if name.startswith(prefix) and len(name) > len(prefix):
            rest = name[len(prefix) :]
            return ("ignore" if rest.startswith("_") else side), rest
    if study and name == "value":
        return "metric", name
    return ("ignore" if name.startswith(("_", "Unnamed:")) else None), name


def metric_words(name: str) -> MetricWords:
    """Whether a name is that of a metric, what is better, and its unit."""
    # Top-1 is one word.
    found = set(words(re.sub(r"(?i)(?<![a-z])top[ _\-]?([1-9])(?![0-9])", r"top\1", name)))
    bracket = _BRACKETS.search(name)
    unit = bracket[1] if bracket else next((u for word, u in _UNITS.items() if word in found), "")
    spread = bool(found & _SPREAD)
    if rate := _RATE.search(normal(name)):
        return MetricWords(2, None if spread else "maximize", f"{rate[1]}/s")
    for strength, direction, known in (
        (2, "minimize", _LESS_FIRST),
        (2, "maximize", _BETTER_MORE),
        (2, "minimize", _LESS),
        (1, "maximize", _MORE_WEAK),
        (1, "minimize", _LESS_WEAK),
    ):
        if found & known:
            return MetricWords(strength, None if spread else direction, unit)
    return MetricWords(2 if found & _SPLITS and len(found) > 1 else int(spread), None, unit)


def is_hyperparameter(name: str) -> bool:
    """Whether a number of this name is set and not measured, however many values it has."""
    return bool(set(words(name)) & _HYPERPARAMETER) and metric_words(name).strength < 2


def describes_run(name: str) -> bool:
    """Whether a column of this name describes the run and not the network."""
    return normal(name) in _RUN_ONLY


def metric_name(name: str) -> str:
    """A name that can stand in an equation: ``Top-1 Acc (%)`` is ``top_1_acc``."""
    if name.isidentifier():
        return name
    plain = re.sub(r"\W+", "_", _BRACKETS.sub("", name)).strip("_").lower()
    return plain if plain.isidentifier() else f"metric_{plain}".rstrip("_")
