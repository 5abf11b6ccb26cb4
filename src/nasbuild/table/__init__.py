"""Room ``table``: what has been evaluated. Read, validate row by row, split, write."""

from nasbuild.table._choice_support import (
    Unseen,
    holds_unseen,
    rows_with_unseen,
    rows_without_support,
    unseen_choices,
    unseen_rows,
    unseen_text,
)
from nasbuild.table._column_names import flat_columns, flatten
from nasbuild.table._cost_file import Difference, add_costs, cost_differences
from nasbuild.table._dataframe import to_frame
from nasbuild.table._evaluated import evaluated_table
from nasbuild.table._graph_table import GraphTable, graph_table, read_metrics
from nasbuild.table._json_rows import arch_dicts
from nasbuild.table._merge_stages import merge_table
from nasbuild.table._ofa import ofa_to_arch
from nasbuild.table._read_table import builtin_tables, load_builtin, read_table
from nasbuild.table._table import Note, Table
from nasbuild.table._train_test_split import Split, k_fold, random_split, stratified_split
from nasbuild.table._unlabelled import read_architectures
from nasbuild.table._write import write_architectures, write_table

__all__ = [
    "Difference",
    "GraphTable",
    "Note",
    "Split",
    "Table",
    "Unseen",
    "add_costs",
    "arch_dicts",
    "builtin_tables",
    "cost_differences",
    "evaluated_table",
    "flat_columns",
    "flatten",
    "graph_table",
    "holds_unseen",
    "k_fold",
    "load_builtin",
    "merge_table",
    "ofa_to_arch",
    "random_split",
    "read_architectures",
    "read_metrics",
    "read_table",
    "rows_with_unseen",
    "rows_without_support",
    "stratified_split",
    "to_frame",
    "unseen_choices",
    "unseen_rows",
    "unseen_text",
    "write_architectures",
    "write_table",
]
