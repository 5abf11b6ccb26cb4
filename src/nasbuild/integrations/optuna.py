"""For Optuna: a sampler, and an evaluator of the importance of parameters (extra ``optuna``).

Raises
------
NasbuildError
    On import, if Optuna is not installed.
"""

from nasbuild._optional_imports import absent

try:
    from nasbuild.integrations._study_importance import NasbuildImportanceEvaluator
    from nasbuild.integrations._study_sampler import NasbuildSampler
except ModuleNotFoundError as error:
    raise absent(error) from error

__all__ = ["NasbuildImportanceEvaluator", "NasbuildSampler"]
