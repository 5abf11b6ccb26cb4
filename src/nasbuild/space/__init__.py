"""Room ``space``: what can be built.

Reads and checks search spaces, counts, samples, enumerates and mutates their architectures, and
encodes these as graphs. Holds the built-in spaces.

The examples of this room start from

>>> import numpy as np
>>> from nasbuild.space import Architecture, parse_architecture, space_from_yaml
>>> space = space_from_yaml(
...     "{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}},"
...     " {depth: [1], features: {kernel: [3, 5], op: [conv, attn]}}],"
...     " metrics: {acc: {direction: maximize}}, costs: {macs: {sum: [{product: 2 * kernel^2}]}}}"
... )
>>> first, second = space.stages
>>> architecture = Architecture((((3,), (5,)), ((5, "attn"),)))
"""

from nasbuild.space._architecture_id import architecture_id, module_id
from nasbuild.space._balanced_sample import balanced_sample
from nasbuild.space._changed_codes import ChangedCode, changed_codes
from nasbuild.space._changed_sample import changed_sample
from nasbuild.space._check_architecture import contains, nearest, parse_architecture, parse_module, to_dict
from nasbuild.space._choice import (
    ABSENT,
    Absent,
    Choice,
    as_choice,
    choice_key,
    choice_of_text,
    choice_text,
    number_of_text,
    plain_choice,
)
from nasbuild.space._choice_attributes import Attribute, choice_attributes
from nasbuild.space._columns import DIGITS, LITERALS, Columns, StageSource
from nasbuild.space._cost_terms import CostFactor, CostProduct, CostValues
from nasbuild.space._count import (
    count_architectures,
    count_log10,
    count_modules,
    format_count,
    json_count,
)
from nasbuild.space._declared_costs import Cost
from nasbuild.space._declared_costs_file import costs_to_dict, read_costs
from nasbuild.space._design_levels import pair_coverage
from nasbuild.space._distinct_modules import StageModules, group_codes, group_modules, group_stages
from nasbuild.space._feature import Feature, features_by_name
from nasbuild.space._fixed_parts import allowed_modules, fix_parts
from nasbuild.space._layer_choices import UNSET, completions
from nasbuild.space._merge_stages import merge_architecture, merge_stages
from nasbuild.space._module_graph import (
    Graphs,
    GraphSchema,
    NodeFeature,
    encode,
    encode_modules,
    encode_parts,
    graph_schema,
)
from nasbuild.space._neighbour import edited, mutate_layer, mutate_module, neighbour_codes
from nasbuild.space._plain_data import is_name
from nasbuild.space._range import Range
from nasbuild.space._reference import reference_to_dict
from nasbuild.space._sample import (
    enumerate_architectures,
    enumerate_modules,
    module_codes,
    random_architecture,
    sample,
    sample_codes,
    sample_module,
)
from nasbuild.space._space import Architecture, Metric, Slot, Space
from nasbuild.space._space_file import (
    builtin_spaces,
    load_space,
    save_space,
    space_from_dict,
    space_from_yaml,
    space_to_dict,
    space_to_yaml,
)
from nasbuild.space._stage import GLOBALS, Layer, Limit, Module, Stage, module_key
from nasbuild.space._subspace import is_subspace
from nasbuild.space._tied_features import TiedStages

__all__ = [
    "ABSENT",
    "DIGITS",
    "GLOBALS",
    "LITERALS",
    "UNSET",
    "Absent",
    "Architecture",
    "Attribute",
    "ChangedCode",
    "Choice",
    "Columns",
    "Cost",
    "CostFactor",
    "CostProduct",
    "CostValues",
    "Feature",
    "GraphSchema",
    "Graphs",
    "Layer",
    "Limit",
    "Metric",
    "Module",
    "NodeFeature",
    "Range",
    "Slot",
    "Space",
    "Stage",
    "StageModules",
    "StageSource",
    "TiedStages",
    "allowed_modules",
    "architecture_id",
    "as_choice",
    "balanced_sample",
    "builtin_spaces",
    "changed_codes",
    "changed_sample",
    "choice_attributes",
    "choice_key",
    "choice_of_text",
    "choice_text",
    "completions",
    "contains",
    "costs_to_dict",
    "count_architectures",
    "count_log10",
    "count_modules",
    "edited",
    "encode",
    "encode_modules",
    "encode_parts",
    "enumerate_architectures",
    "enumerate_modules",
    "features_by_name",
    "fix_parts",
    "format_count",
    "graph_schema",
    "group_codes",
    "group_modules",
    "group_stages",
    "is_name",
    "is_subspace",
    "json_count",
    "load_space",
    "merge_architecture",
    "merge_stages",
    "module_codes",
    "module_id",
    "module_key",
    "mutate_layer",
    "mutate_module",
    "nearest",
    "neighbour_codes",
    "number_of_text",
    "pair_coverage",
    "parse_architecture",
    "parse_module",
    "plain_choice",
    "random_architecture",
    "read_costs",
    "reference_to_dict",
    "sample",
    "sample_codes",
    "sample_module",
    "save_space",
    "space_from_dict",
    "space_from_yaml",
    "space_to_dict",
    "space_to_yaml",
    "to_dict",
]
