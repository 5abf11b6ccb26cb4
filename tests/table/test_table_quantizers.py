"""Files of quantisers and pruners, written as these tools write them, as tables; and all the way to a fit."""

from __future__ import annotations

import json
import random
import re
import shlex

import pytest

from nasbuild.errors import TableError
from nasbuild.space import space_from_yaml
from nasbuild.table import changes_summary, guess_space, read_table, read_tables
from nasbuild.table.quantizers._name_patterns import names_of_pattern

BLOCKS = range(3)
TENSORS = [f"blk.{n}.{name}.weight" for n in BLOCKS for name in ("attn_q", "attn_v", "ffn_down")]
TYPES = {"q2_K": 0.4, "iq3_xxs": 0.2, "q4_k_r4": 0.05}


def singles_csv(path, *, more="", text="{:.6f}", base=0.0):
    """As GGUF-Tool-Suite collects them: a line for each type, a column for each tensor."""
    lines = ["QTYPE," + ",".join([*TENSORS, "token_embd.weight"])]
    for kind, harm in TYPES.items():
        values = [text.format(base + harm * (n + 1) / 10) for n in range(len(TENSORS) + 1)]
        lines.append(",".join([kind, *values]))
    path.write_text("\n".join(lines) + f"\n{more}")
    return path


RECIPE = r"""## Quant mix recipe created using Thireus' GGUF Tool Suite - https://gguf.thireus.com/
# Model name: Tiny

## Model head & embeddings — qbits: 32 8
output_norm\.weight=f32
token_embd\.weight=q8_0

## Multi-headed attention parameters — qbits: 32 4 2
^blk\.([0-1])\.attn_q\.weight$=iq3_xxs
blk\.2\.attn_q\.weight=q2_K
blk\.[0-2]\.attn_v\.weight=Q4_K
blk\.([0-2])\.attn_norm\.weight=f32

# ffn_down — qbits: 3
blk\.([0-9]|1[0-9])\.ffn_down\.weight=iq3_xxs

## Summary of tensor counts and bpw per qtype
# -Average BPW: 3.1027
"""


def mlx_config(path, layers):
    path.mkdir()
    section = {"group_size": 64, "bits": 4, "mode": "affine", **layers}
    config = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "quantization": section,
        "quantization_config": section,
    }
    (path / "config.json").write_text(json.dumps(config))


def test_singles_of_gguf_tool_suite_are_changes_of_the_unchanged_model(tmp_path):
    table = read_table(singles_csv(tmp_path / "kld_results.csv"))
    assert len(table) == 3 * 10
    assert table.space.metrics["kld"].direction == "minimize"
    assert [stage.name for stage in table.space.layered] == ["blk0", "blk1", "blk2"]
    summary = changes_summary(table)
    assert summary is not None
    assert (summary["declared"], summary["measured"], summary["one"]) == (True, False, 30)
    row = table.ids.index("blk.1.attn_v=iq3_xxs")
    # The fifth tensor: 0.2 * 5 / 10.
    assert table.columns["kld"][row] == pytest.approx(0.1)
    names = [f.name for f in table.space.layered[1].features]
    assert table.architectures[row].modules[1][0] == tuple(
        "iq3_xxs" if name == "attn_v" else "unchanged" for name in names
    )
    assert any("kld of the unchanged model is not in the file" in note.text for note in table.notes)


def test_failed_measurements_percentages_and_the_type_of_the_unchanged_model(tmp_path):
    path = singles_csv(tmp_path / "ppl_results.csv", more="bf16" + ",6.8085" * 10 + "\n", base=6.8085)
    text = path.read_text().replace("6.828500", "404").replace("6.848500", "")
    path.write_text(text)
    table = read_table(path)
    missing = text.count("404") + len(re.findall(",,|,$", text, re.MULTILINE))
    assert missing >= 2
    assert len(table) == 1 + 30 - missing
    # All tensors have one perplexity in bf16: that of the unchanged model.
    assert table.columns["ppl"][table.ids.index("reference")] == 6.8085
    assert "bf16" in table.space.layered[0].features[0].choices

    table = read_table(singles_csv(tmp_path / "ppl_results_partial.csv", text="+{:.2f}%"))
    assert table.columns["ppl_change"][table.ids.index("reference")] == 0
    assert table.columns["ppl_change"].max() == pytest.approx(0.4)
    assert table.space.metrics["ppl_change"].unit == "%"


def test_what_a_results_file_does_not_say_is_asked_or_refused(tmp_path):
    guess = guess_space(singles_csv(tmp_path / "mine.csv"))
    assert [question.key for question in guess.open] == ["mine.direction"]
    (tmp_path / "kld_results.csv").write_text("QTYPE,group0,blk.0.attn_q.weight\nq2_K,0.5,0.1\n")
    with pytest.raises(TableError, match="'group0' is a group of tensors"):
        read_table(tmp_path / "kld_results.csv")
    (tmp_path / "kld_results.csv").write_text("QTYPE,blk.0.attn_q.weight\nq2_K,lots\n")
    with pytest.raises(TableError, match=r"blk.0.attn_q.weight: 'lots' is not a number"):
        read_table(tmp_path / "kld_results.csv")


def test_a_long_table_of_layers_and_types_is_one_of_single_changes(tmp_path):
    lines = ["tensor,type,kld,ppl"]
    lines += [f"{t},{k},{h * n:g},{7 + h * n:g}" for k, h in TYPES.items() for n, t in enumerate(TENSORS, 1)]
    (tmp_path / "singles.csv").write_text("\n".join(lines) + "\n")
    table = read_table(tmp_path / "singles.csv")
    assert len(table) == 27
    assert table.columns["kld"][table.ids.index("blk.0.attn_v=q2_K")] == pytest.approx(0.8)
    assert table.space.metrics["ppl"].direction == "minimize"
    # Layers by bits, and what all layers have in common is the unchanged model.
    lines = ["Layer;Bits;acc"]
    lines += [
        f"layer{n}.0.conv{c};{bits};{76 - (8 - bits) * n}"
        for n in (1, 2)
        for c in (1, 2)
        for bits in (8, 4, 2)
    ]
    (tmp_path / "hawq.csv").write_text("\n".join(lines) + "\n")
    table = read_table(tmp_path / "hawq.csv")
    assert len(table) == 1 + 4 * 2
    assert table.columns["acc"][table.ids.index("reference")] == 76
    assert table.space.layered[0].features[0].choices == ("2 bits", "4 bits", "8 bits")
    # Networks with a name and a type each are no layers.
    (tmp_path / "nets.csv").write_text("layer,type,acc\n1,a,70\n2,b,71\n3,a,72\n4,b,70.5\n")
    assert len(read_table(tmp_path / "nets.csv").space.stages) == 2
    space = space_from_yaml(
        "{name: s, stages: [{name: only, depth: 1, features: {bits: [8, 4, 2], name: [layer1.0.conv1, layer1.0.conv2, "
        "layer2.0.conv1, layer2.0.conv2]}}], columns: {stages: {only: {bits: Bits, name: Layer}}}}"
    )
    assert len(read_table(tmp_path / "hawq.csv", space)) == 12


@pytest.mark.parametrize(
    "pattern",
    [
        r"^blk\.([0-9]|1[0-9])\.attn_v\.weight$",
        r"blk\.(3[0-5]|[1-2][0-9]|[0-9])\.ffn_(up|gate)\.weight",
        r"^blk\.\d\.attn_(q|k)?x\.weight$",
        r"blk.2.ffn_down.weight",
        r"blk\.(?:1|12)\.attn_q\.weight",
    ],
)
def test_names_of_a_pattern_are_those_that_it_matches(pattern):
    parts = ["attn_v", "attn_qx", "attn_kx", "attn_x", "ffn_up", "ffn_gate", "ffn_down", "attn_q", "attn_vv"]
    names = [f"blk.{n}.{part}.weight" for n in range(40) for part in parts]
    matched = [name.removesuffix(".weight") for name in names if re.fullmatch(pattern, name)]
    assert sorted(names_of_pattern(pattern, "here")) == sorted(matched)


@pytest.mark.parametrize("pattern", ["attn_v", r"blk\..*\.attn_v", r"blk\.\d+\.attn_v", "[^0]", r"blk\.(1"])
def test_patterns_that_spell_out_no_names_are_refused(pattern):
    with pytest.raises(TableError, match="does not spell out the names of tensors"):
        names_of_pattern(pattern, "here")


def test_a_folder_of_recipes_and_singles_is_one_table(tmp_path):
    singles_csv(tmp_path / "kld_results.csv")
    singles_csv(tmp_path / "ppl_results.csv", base=6.8)
    (tmp_path / "Tiny.ROOT-3.1027bpw-7.3372ppl.0GB.3c88ec6_adc8101.recipe").write_text(RECIPE)
    (tmp_path / "notes.md").write_text("# no table")
    table = read_table(tmp_path)
    # One row has both metrics.
    assert len(table) == 31
    assert (table.columns["kld"] > 0).sum() == (table.columns["ppl"] > 0).sum() == 30
    row = next(n for n, name in enumerate(table.ids) if name.startswith("Tiny.ROOT"))
    assert (table.columns["recipe_ppl"][row], table.columns["bpw"][row]) == (7.3372, 3.1027)
    names = [f.name for f in table.space.layered[2].features]
    # The first pattern that is about a tensor counts, and norms are no choice.
    expected = {"attn_q": "q2_K", "attn_v": "q4_K", "ffn_down": "iq3_xxs"}
    assert dict(zip(names, table.architectures[row].modules[2][0], strict=True)) == expected
    assert any("notes.md" in note.text for note in table.notes)


def test_a_recipe_that_leaves_tensors_out_is_refused(tmp_path):
    space = guess_space(singles_csv(tmp_path / "kld_results.csv")).space
    (tmp_path / "part.recipe").write_text("attn_=q2_K\ntoken_embd=q2_K\n")
    with pytest.raises(TableError, match=r"part.recipe: gives no choice to blk.0.ffn_down and 2 more"):
        read_table(tmp_path / "part.recipe", space)


def test_tensor_types_of_llama_cpp_count_in_their_order(tmp_path):
    space = guess_space(singles_csv(tmp_path / "kld_results.csv")).space
    files = tmp_path / "types"
    files.mkdir()
    (files / "a.txt").write_text("blk\\.1\\.attn_q=Q2_K attn_q=iq3_xxs\nffn_down=q4_k_r4\nembd|attn_v=q2_k\n")
    table = read_table(files / "a.txt", space)
    attn_q = [f.name for f in space.layered[0].features].index("attn_q")
    assert [m[0][attn_q] for m in table.architectures[0].modules[:3]] == ["iq3_xxs", "q2_K", "iq3_xxs"]
    with pytest.raises(TableError, match="'attn_q' does not spell out the names"):
        read_table(files / "a.txt")
    # Tensors that no line is about have a type that is not in the file.
    (files / "b.txt").write_text("blk.0.attn_q=q6_K\nblk.1.attn_q=q5_K\n")
    (files / "a.txt").write_text("blk.0.attn_q=q5_K\n")
    table = read_table(files)
    choices = {c for stage in table.space.layered for f in stage.features for c in f.choices}
    assert choices == {"q5_K", "q6_K", "default"}
    assert any("llama-quantize was called with" in note.text for note in table.notes)
    (files / "b.txt").write_text("Dear diary\n")
    with pytest.raises(TableError, match=r"line 1.*does not give tensors a type"):
        read_table(files / "b.txt")
    other = space_from_yaml("{name: tiny, stages: [{depth: 1, features: {attn_q: [q2_K, q4_K]}}]}")
    with pytest.raises(TableError, match="nasbuild init"):
        read_table(files / "a.txt", other)


def test_sensitivities_of_mlx_are_single_changes(tmp_path):
    layers = [f"model.layers.{n}.{part}" for n in range(2) for part in ("self_attn.q_proj", "mlp.down_proj")]
    data = [[layer, 0.5 - n / 4] for n, layer in enumerate([*layers, "lm_head"])]
    path = tmp_path / "Qwen_Qwen3-0.6B-base_sensitivities.json"
    path.write_text(json.dumps(data))
    table = read_table(path)
    summary = changes_summary(table)
    assert summary is not None
    assert (summary["measured"], summary["one"], summary["more"]) == (True, 5, 0)
    for layer, value in data:
        assert table.columns["sensitivity"][table.ids.index(layer)] == value
    assert table.space.layered[0].features[0].choices == ("high", "low")
    assert any("for each million weights" in note.text for note in table.notes)


def test_configurations_of_quantised_models_are_architectures(tmp_path):
    high = {"group_size": 64, "bits": 6}
    mlx_config(tmp_path / "one", {"model.layers.0.self_attn.v_proj": high, "lm_head": high})
    mlx_config(tmp_path / "two", {"model.layers.1.self_attn.v_proj": high, "model.layers.1.mlp.gate": False})
    (tmp_path / "measured.txt.csv").write_text("id,ppl\none,7.5\ntwo,7.25\n")
    table = read_tables([tmp_path, tmp_path / "measured.txt.csv"], guess_space(tmp_path).space)
    assert table.ids == ("one", "two")
    assert table.columns["ppl"].tolist() == [7.5, 7.25]
    found = {f"{s.name}.{f.name}": f.choices for s in table.space.stages for f in s.features}
    assert found["layers0.v_proj"] == ("4 bits, group 64", "6 bits, group 64")
    assert found["layers1.gate"] == ("16 bits", "4 bits, group 64")
    one = table.architectures[table.ids.index("one")]
    assert one.modules[0][0] == ("6 bits, group 64",)


def test_layer_configurations_of_auto_round(tmp_path):
    plain = {
        "model.layers.0.self_attn.q_proj": {
            "bits": 8,
            "group_size": 32,
            "sym": True,
            "data_type": "int",
            "act_bits": 16,
        },
        "model.layers.1.self_attn.q_proj": {"bits": 4, "group_size": 128, "sym": False, "act_bits": 8},
        "model.layers.0.mlp.up_proj": "W4A16",
        "lm_head": {"bits": 16, "data_type": "float"},
    }
    (tmp_path / "layer_config.json").write_text(json.dumps(plain))
    table = read_table(tmp_path / "layer_config.json")
    row = [c for module in table.architectures[0].modules for c in module[0]]
    assert row == [
        "8 bits, group 32", "W4A16", "4 bits, group 128, asymmetric, activations 8 bits", "16 bits",
    ]  # fmt: skip
    # As exported: a scheme for all layers, others by name or by a regular expression.
    extra = {".*layers\\.1\\..*": {"bits": 2, "group_size": 128}, "lm_head": {"bits": 16, "data_type": "fp"}}
    section = {"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True, "extra_config": extra}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": section}))
    with pytest.raises(TableError, match="does not spell out the names"):
        read_table(tmp_path / "config.json")
    space = space_from_yaml(
        "{name: s, globals: {lm_head: [16 bits, 8 bits]}, stages: [{name: l0, depth: 1, features: {q: &c "
        "['2 bits, group 128', '4 bits, group 128']}}, {name: l1, depth: 1, features: {q: *c}}], "
        "columns: {globals: {lm_head: lm_head}, stages: {l0: {q: model.layers.0.q_proj}, l1: {q: model.layers.1.q_proj}}}}"
    )
    table = read_table(tmp_path / "config.json", space)
    row = [module[0][0] for module in table.architectures[0].modules]
    assert row == ["4 bits, group 128", "2 bits, group 128", "16 bits"]
    (tmp_path / "config.json").write_text(
        json.dumps({"quantization_config": {"quant_method": "awq", "bits": 4}})
    )
    with pytest.raises(TableError, match="quantised by 'awq', whose configuration does not name layers"):
        read_table(tmp_path / "config.json")


def test_scores_and_exports_of_modelopt(tmp_path):
    formats = [
        "NVFP4_DEFAULT_CFG(effective-bits: 4.5)",
        "FP8_DEFAULT_CFG(effective-bits: 8.0)",
        "NONE(effective-bits: 16.0)",
    ]
    random_scores = random.Random(0)
    stats = {
        f"model.layers.{n}.mlp.quant_recipe": {
            "formats": formats,
            "scores": [*sorted((random_scores.random() for _ in range(2)), reverse=True), 0.0],
            "costs": [9.0, 16.0, 32.0],
        }
        for n in range(3)
    }
    (tmp_path / "scores.json").write_text(json.dumps({"candidate_stats": stats}))
    table = read_table(tmp_path / "scores.json")
    assert len(table) == 1 + 3 * 2
    assert table.columns["score"][0] == 0
    row = table.ids.index("model.layers.2.mlp.quant_recipe=FP8_DEFAULT_CFG")
    assert table.columns["score"][row] == stats["model.layers.2.mlp.quant_recipe"]["scores"][1]
    assert table.space.costs["cost"].values(table.space, [table.architectures[row]]).tolist() == [
        32 + 32 + 16
    ]

    layers = {
        "model.layers.0.q_proj": {"quant_algo": "FP8"},
        "model.layers.1.q_proj": {"quant_algo": "NVFP4", "group_size": 16},
    }
    exported = {
        "producer": {"name": "modelopt"},
        "quantization": {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers},
    }
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(exported))
    row = read_table(tmp_path / "hf_quant_config.json").architectures[0]
    assert [module[0][0] for module in row.modules] == ["FP8", "NVFP4, group 16"]
    (tmp_path / "state.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(TableError, match=r"can run code.*json\.dump"):
        read_table(tmp_path / "state.pth")
    del stats["model.layers.0.mlp.quant_recipe"]["formats"][2]
    (tmp_path / "scores.json").write_text(json.dumps(stats))
    with pytest.raises(TableError, match="not lists of one length"):
        read_table(tmp_path / "scores.json")


def _block(heads, size):
    attention = (
        {"no_op": True} if heads is None else {"no_op": False, "num_key_value_heads": heads, "mamba": None}
    )
    return {
        "attention": attention,
        "ffn": {"no_op": False, "moe": None, "intermediate_size": size},
        "parallel_blocks": None,
    }


def test_replacements_of_puzzle_are_changes_of_the_teacher(tmp_path):
    teacher = _block(8, 64)
    variants = [(0, _block(4, 64)), (0, _block(None, 64)), (1, _block(8, 16)), (1, _block(2, 16))]

    def stats(block):
        own = (block["attention"].get("num_key_value_heads", 0) * 10, block["ffn"]["intermediate_size"])
        return {
            "num_params": sum(own),
            "attention_num_params": own[0],
            "ffn_num_params": own[1],
            "has_ffn": 1,
        }

    gathered = {}
    for n, (layer, block) in enumerate([*variants, (0, teacher), (1, teacher)]):
        is_teacher = n >= len(variants)
        loss = 2.0 if is_teacher else 2.1 + n / 10
        gathered[f"replacement_{n}"] = {
            "block_config": block, "parent_layer_indices": [layer], "is_teacher": is_teacher,
            "metrics": {"lm_loss": loss, "one_minus_lm_loss": 1 - loss}, "stats": stats(block), "block_repr": "...",
        }  # fmt: skip
    (tmp_path / "replacement_metrics_and_stats.json").write_text(json.dumps(gathered))
    table = read_table(tmp_path / "replacement_metrics_and_stats.json")
    assert table.columns["lm_loss"][0] == 2.0
    assert list(table.columns) == ["lm_loss"]
    summary = changes_summary(table)
    assert summary is not None
    assert (summary["measured"], summary["one"], summary["two"]) == (True, 3, 1)
    params = table.space.costs["num_params"].values(table.space, table.architectures)
    assert params.tolist() == [288, 248, 208, 240, 180]

    # The same from the folder of validations, where the teacher's blocks are those of most solutions.
    folder = tmp_path / "validation"
    folder.mkdir()
    for n, (layer, block) in enumerate(variants):
        blocks = [block if b == layer else teacher for b in range(2)]
        entry = {"parent_layer_indices": [layer], "child_block_configs": [block], "weight_paths": []}
        solution = {"single_sequence_replacement": entry, "block_configs": blocks}
        data = {
            "lm_loss": {"avg": 2.1 + n / 10, "per_sample": [1.0]},
            "args": {},
            "puzzle_solution": solution,
        }
        (folder / f"solution_{n}.json").write_text(json.dumps(data))
    (folder / "teacher.json").write_text(json.dumps({"lm_loss": {"avg": 2.0}, "args": {"teacher_dir": "t"}}))
    again = read_table(folder)
    assert again.architectures == table.architectures
    assert again.columns["lm_loss"].tolist() == table.columns["lm_loss"].tolist()
    library = [{"weight_paths": [], "parent_layer_indices": [0], "child_block_configs": [teacher]}]
    (tmp_path / "replacement_library.json").write_text(json.dumps(library))
    with pytest.raises(TableError, match="but no score of them"):
        read_table(tmp_path / "replacement_library.json")
    gathered["replacement_0"]["parent_layer_indices"] = [0, 1]
    (tmp_path / "replacement_metrics_and_stats.json").write_text(json.dumps(gathered))
    with pytest.raises(TableError, match="replaces blocks"):
        read_table(tmp_path / "replacement_metrics_and_stats.json")


def test_init_leads_to_a_fit_without_editing(tmp_path, nasbuild, monkeypatch):
    monkeypatch.chdir(tmp_path)
    singles_csv(tmp_path / "kld_results.csv")
    done = nasbuild("init", "kld_results.csv")
    assert done.code == 0, done.err
    commands = [shlex.split(line)[1:] for line in done.out.splitlines() if line.startswith("  nasbuild ")]
    assert [command[0] for command in commands] == ["check", "fit", "build"]
    assert nasbuild(*commands[0]).code == 0
    fitted = nasbuild(*commands[1], "--recipe", "marginal", "--no-baselines")
    assert fitted.code == 0, fitted.err
    assert nasbuild("explain", "my-fit").code == 0
    assert nasbuild(*commands[2]).code == 0
    # What is built has the tensors' names as columns.
    header = (tmp_path / "built.csv").read_text().partition("\n")[0].split(",")
    assert {"blk.0.attn_q", "blk.2.ffn_down", "token_embd"} <= set(header)


def test_architectures_without_a_metric_are_told_how_to_get_one(tmp_path, nasbuild, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layer_config.json").write_text(json.dumps({"a.0.q": "W4A16", "a.1.q": "W8A16"}))
    done = nasbuild("init", "layer_config.json")
    assert done.code == 0, done.err
    assert "no metric" in done.out
    assert "--data measured.csv" in done.out
