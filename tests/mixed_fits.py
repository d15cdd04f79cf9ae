"""Fits of `pniflow.mixed` in the names of lmerTest (satterthwaite) and pbkrtest (kr)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pniflow.mixed import NOT_ESTIMABLE, MixedModel, RandomTerm
from pniflow.mixed.random_terms import RandomTerms

WAYS = {"satterthwaite": "satterthwaite", "kr": "kenward_roger"}


class Numbers:
    """A fit's numbers: by contrast (q, P), variances (P,), joint tests a list; of one outcome by `place`."""

    def __init__(self, fit, contrasts=None, joint=(), place=slice(None)):
        rows = np.eye(len(fit.names)) if contrasts is None else np.atleast_2d(contrasts)
        single = {f"row {k}": row for k, row in enumerate(rows)}
        self.fit, self.place = fit.contrast(single), place
        self.joint = [self._joint(fit.contrast({"all": np.atleast_2d(part)})) for part in joint]

    def _joint(self, fit):
        found = {"df_numerator": int(fit.tests().df_numerator[0])}
        for way, method in WAYS.items():
            tests = fit.tests(method)
            f = tests.statistic[0] ** (2 if found["df_numerator"] == 1 else 1)  # one row is tested by t
            found |= {f"f_{way}": f, f"df_{way}": tests.df[0], f"p_{way}": tests.p_value[0]}
        return SimpleNamespace(**found)

    def __getattr__(self, name):
        if name == "contrast_note":
            return ["" if one else NOT_ESTIMABLE for one in self.fit.tests().estimable]
        if name == "covariances":
            return [part[self.place] for part in self.fit.covariances.values()]
        if name == "person_variance":
            return next(iter(self.fit.covariances.values()))[:, 0, 0][self.place]
        if name == "estimate":
            return self.fit.tests().estimate[:, self.place]
        kind, _, way = name.partition("_")
        if kind in ("se", "df", "t", "p"):
            tests = self.fit.tests(WAYS.get(way, "satterthwaite"))
            column = {"se": tests.std_error, "df": tests.df, "t": tests.statistic, "p": tests.p_value}[kind]
            return column[:, self.place]
        return getattr(self.fit, name)[self.place]


def random_intercept(design, groups, outcomes, *, names=None, contrasts=None, joint=()):
    """One random intercept, all outcomes at once."""
    return Numbers(MixedModel(design, {"person": groups}, names=names).fit(outcomes), contrasts, joint)


def term(name, labels, slopes=None):
    """A grouping factor by name."""
    columns = [] if slopes is None else np.reshape(slopes, (len(labels), -1)).T
    return name, RandomTerm(labels, {f"slope {k}": column for k, column in enumerate(columns)})


def lmm(design, outcome, terms, *, names=None, contrasts=None, joint=()):
    """Any random terms, one outcome, by the general way even where the other would do."""
    model = MixedModel(design, dict(terms), names=names)
    model._solver = RandomTerms(np.asarray(design, dtype=float), dict(terms), model.names)
    return Numbers(model.fit(outcome), contrasts, joint, place=0)
