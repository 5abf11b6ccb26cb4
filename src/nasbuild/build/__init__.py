"""Room ``build``: what to build or to evaluate next by module scores, and the reduced space."""

from nasbuild.build._best import Built, best_sums, build, buildable
from nasbuild.build._propose import propose
from nasbuild.build._reduce import reduce_space

__all__ = ["Built", "best_sums", "build", "buildable", "propose", "reduce_space"]
