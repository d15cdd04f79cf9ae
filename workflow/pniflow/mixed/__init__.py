"""Linear mixed models with small-sample inference; imports numpy and scipy only.

    from pniflow.mixed import MixedModel

    fit = MixedModel({"Days": days}, {"Subject": subject}).fit({"Reaction": reaction})
    print(fit.tests("kenward_roger"))

MixedModel, RandomTerm -> Fit -> Tests     a model, its fit to many outcomes at once, tests of named contrasts
cr2_tests                                  the same coefficients with cluster-robust standard errors
sign_flip, freedman_lane                   permutation tests with max-T (`sign_flips`, `person_permutations`:
                                           the shuffles themselves, `tests_of` what comes of them)
fit_censored                               outcomes of which some are known only to lie below a limit
paired_effects                             standardized changes and their intervals
adjust                                     p-values of a family
"""

from pniflow.mixed.censored import fit_censored
from pniflow.mixed.cr2 import cr2_tests
from pniflow.mixed.effect_sizes import G_AV, SLOPE, paired_effects, sd_of_columns
from pniflow.mixed.inference import NOT_ESTIMABLE, PERFECT, independent_columns, one_blas_thread
from pniflow.mixed.model import MixedModel
from pniflow.mixed.multiplicity import adjust
from pniflow.mixed.permutation import (
    PermutationTests,
    Shuffles,
    freedman_lane,
    person_permutations,
    sign_flip,
    sign_flips,
    t_of,
    tests_of,
)
from pniflow.mixed.random_terms import RandomTerm
from pniflow.mixed.result import METHODS, Fit, Tests
from pniflow.mixed.student import two_sided_p

__all__ = [
    "G_AV",
    "METHODS",
    "NOT_ESTIMABLE",
    "PERFECT",
    "SLOPE",
    "Fit",
    "MixedModel",
    "PermutationTests",
    "RandomTerm",
    "Shuffles",
    "Tests",
    "adjust",
    "cr2_tests",
    "fit_censored",
    "freedman_lane",
    "independent_columns",
    "one_blas_thread",
    "paired_effects",
    "person_permutations",
    "sd_of_columns",
    "sign_flip",
    "sign_flips",
    "t_of",
    "tests_of",
    "two_sided_p",
]
