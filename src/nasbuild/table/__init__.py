"""Room ``table``: what has been evaluated.

Reads the tables that people have, checks them row by row, splits and writes them.

The examples of this room start from

>>> import numpy as np
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> space = table.space
"""

from nasbuild.table._choice_support import (
    UnseenChoice,
    architectures_with_unseen,
    modules_with_unseen,
    rows_without_support,
    unseen_choices,
    unseen_text,
    unseen_to_dicts,
)
from nasbuild.table._column_names import flat_columns, flat_row
from nasbuild.table._cost_file import CostDifference, add_costs, cost_differences
from nasbuild.table._dataframe import to_frame
from nasbuild.table._evaluated import table_from_evaluations
from nasbuild.table._graph_table import GraphTable, graph_table, read_metrics
from nasbuild.table._join import join_tables, read_tables
from nasbuild.table._json_rows import table_to_dicts
from nasbuild.table._merge_stages import merge_table
from nasbuild.table._ofa import ofa_to_arch
from nasbuild.table._read_table import builtin_tables, load_builtin, read_table
from nasbuild.table._reference_changes import (
    Part,
    ReferenceChanges,
    all_parts,
    centre_row,
    changed_parts,
    changes_summary,
    changes_text,
    reference_row,
)
from nasbuild.table._table import Note, Table, short_id
from nasbuild.table._template import template, template_architectures, template_rows
from nasbuild.table._train_test_split import Split, k_fold, random_split, stratified_split
from nasbuild.table._unlabelled import read_architectures
from nasbuild.table._write import architecture_columns, write_architectures, write_table
from nasbuild.table.infer._commented_yaml import commented_yaml
from nasbuild.table.infer._infer_space import Guess, guess_space, infer_space
from nasbuild.table.infer._questions import Question

__all__ = [
    "CostDifference",
    "GraphTable",
    "Guess",
    "Note",
    "Part",
    "Question",
    "ReferenceChanges",
    "Split",
    "Table",
    "UnseenChoice",
    "add_costs",
    "all_parts",
    "architecture_columns",
    "architectures_with_unseen",
    "builtin_tables",
    "centre_row",
    "changed_parts",
    "changes_summary",
    "changes_text",
    "commented_yaml",
    "cost_differences",
    "flat_columns",
    "flat_row",
    "graph_table",
    "guess_space",
    "infer_space",
    "join_tables",
    "k_fold",
    "load_builtin",
    "merge_table",
    "modules_with_unseen",
    "ofa_to_arch",
    "random_split",
    "read_architectures",
    "read_metrics",
    "read_table",
    "read_tables",
    "reference_row",
    "rows_without_support",
    "short_id",
    "stratified_split",
    "table_from_evaluations",
    "table_to_dicts",
    "template",
    "template_architectures",
    "template_rows",
    "to_frame",
    "unseen_choices",
    "unseen_text",
    "unseen_to_dicts",
    "write_architectures",
    "write_table",
]
