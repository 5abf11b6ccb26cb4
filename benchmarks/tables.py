"""The measure of figure 2 on tables that the paper does not have; all their labels were measured.

    python benchmarks/tables.py [--data DIR]

Recipe ``paper`` is fitted as in `benchmarks/fig2.py`.
"""

from __future__ import annotations

from _common import arguments, hop_srcc, hop_table

SETTINGS = [
    ("nas-bench-macro acc", "nas-bench-macro", "acc"),
    ("ofa-mbv3-imagenet acc", "ofa-mbv3-imagenet", "acc"),
    ("accel-nasbench acc", "accel-nasbench", "acc"),
    ("accel-nasbench latency_zcu102", "accel-nasbench", "latency_zcu102"),
    ("nas-bench-mr miou", "nas-bench-mr", "miou"),
]


def main() -> None:
    options = arguments("SRCC of every hop on measured tables", "tables").parse_args()
    print(hop_table(hop_srcc(options, SETTINGS)))


if __name__ == "__main__":
    main()
