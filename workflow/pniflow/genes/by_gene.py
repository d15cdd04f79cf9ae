"""Each gene of the score by itself: the prespecified composite's model, one gene after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pniflow.contracts import field_names
from pniflow.genes.gene_data import Data
from pniflow.mixed import MixedModel, adjust, two_sided_p

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95


def gene_estimates(data: Data, unit: str) -> pd.DataFrame:
    """Fit every gene's expression (in expression direction, without its sign) by the design.

    A random intercept per person with Kenward-Roger inference; least squares without repeated samples. The
    average of weight x estimate over genes is the composite's estimate where people have equal numbers of
    samples.

    Parameters
    ----------
    data : Data
    unit : str
        z or log2.

    Returns
    -------
    DataFrame
        By the contract gene_estimates.
    """
    import pandas as pd
    from scipy.special import stdtrit

    shape = len(data.tested), len(data.genes)
    estimate, error, df = (np.full(shape, np.nan) for _ in range(3))
    note = np.full(len(data.genes), data.problem or None, dtype=object)
    if not data.problem and data.tested:
        estimate, error, df, note = fit_terms(data, data.values)
    statistic = estimate / error
    p = two_sided_p(statistic, df)
    reach = stdtrit(df, (1 + LEVEL) / 2) * error
    parts = [
        pd.DataFrame(
            {
                "gene": data.genes,
                "component": data.components,
                "weight": data.weights.astype(int),
                "term": data.names[column],
                "unit": unit,
                "estimate": estimate[row],
                "std_error": error[row],
                "df": df[row],
                "statistic": statistic[row],
                "p_value": p[row],
                "p_adjusted": adjust(p[row], "bh"),
                "conf_low": estimate[row] - reach[row],
                "conf_high": estimate[row] + reach[row],
                "n_participants": len(set(data.people)),
                "n_samples": len(data.people),
                "note": note,
            }
        )
        for row, column in enumerate(data.tested)
    ]
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=field_names("gene_estimates"))
    )


def fit_terms(data: Data, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit outcomes (samples x outcomes) by the design: mixed, or least squares without repeated samples.

    Returns
    -------
    estimate, error, df : array, tested terms x outcomes
    note : array of str or None, outcomes
    """
    model = MixedModel(data.design, {"participant": data.people} if data.repeated else None, names=data.names)
    fit = model.fit(outcomes, {data.names[column]: {data.names[column]: 1.0} for column in data.tested})
    tests, note = fit.tests(), np.array([text or None for text in fit.note], dtype=object)
    return tests.estimate, tests.std_error, tests.df, note
