"""How much an estimate hangs on single participants, on the variance model, on the distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed import fit_censored
from pniflow.models.analysis import ModelFit, contrasts_of, joined, mixed_model
from pniflow.models.design import Design, build, variables_of
from pniflow.models.results import Row, interval, is_change, tested, variant_row
from pniflow.models.specification import Plan
from pniflow.models.study_data import SESSION, Cohort
from pniflow.models.terms import NotEstimable

Array = NDArray[np.float64]
_SEED = 20240618  # of the bootstrap; every outcome and term starts from it


class LeaveOneOut:
    """A fit repeated without each participant: rows, splitting and centring anew each time.

    Attributes
    ----------
    who : (people,) list of int
        Row of the participants' table, from 1.
    estimate, std_error, df, p_value : (people, terms, outcomes) float
        NaN where a term could not be estimated without that participant.
    """

    def __init__(self, fit: ModelFit, cohort: Cohort, plan: Plan, terms: Sequence[str]) -> None:
        design, model = fit.design, fit.model
        variables = variables_of(model, cohort)
        self.terms = [term for term in terms if term in fit.rows]
        shape = (design.people, len(self.terms), len(fit.outcomes))
        self.estimate, self.std_error, self.df, self.statistic, self.p_value = (
            np.full(shape, np.nan) for _ in range(5)
        )
        self.who: list[int] = []
        for one in range(design.people):
            rest = design.person != one
            self.who.append(cohort.numbers[cohort.person[design.rows[~rest][0]]])
            try:
                left = build(model, variables, cohort, design.rows[rest], plan.centred)
            except NotEstimable:
                continue
            contrasts = contrasts_of(model, left)
            # a level may have gone with the participant: then it is another test
            there = [
                index
                for index, term in enumerate(self.terms)
                if term in contrasts and len(left.terms.get(term, ())) == len(design.terms.get(term, ()))
            ]
            here = {self.terms[index]: contrasts[self.terms[index]] for index in there}
            tests = mixed_model(left, model.random).fit(fit.values[rest], here).tests(plan.inference)
            self.estimate[one, there] = tests.estimate
            self.std_error[one, there] = tests.std_error
            self.df[one, there] = tests.df
            self.statistic[one, there] = tests.statistic
            self.p_value[one, there] = tests.p_value


def leave_one_out_rows(
    loo: LeaveOneOut, fit: ModelFit, base: Mapping[tuple[str, str], Row], plan: Plan
) -> list[Row]:
    """Return the fits without the participant who makes the estimate lowest, highest, the p-value largest.

    Parameters
    ----------
    base : mapping of (outcome, term) to row
        The prespecified rows.
    """
    rows = []
    for column, outcome in enumerate(fit.outcomes):
        for index, term in enumerate(loo.terms):
            estimates, p_values = loo.estimate[:, index, column], loo.p_value[:, index, column]
            if np.isnan(p_values).all():
                continue
            lost = int(np.isnan(p_values).sum())
            several = f"without each of {lost} participants it is not estimable" if lost else None
            ends = {"leave_one_out_largest_p": int(np.nanargmax(p_values))}
            if not np.isnan(estimates).all():
                ends = {
                    "leave_one_out_lowest": int(np.nanargmin(estimates)),
                    "leave_one_out_highest": int(np.nanargmax(estimates)),
                    **ends,
                }
            for variant, one in ends.items():
                at = (one, index, column)
                visits = int((fit.design.person == one).sum())
                rows.append(
                    variant_row(
                        base[outcome, term],
                        variant,
                        estimate=loo.estimate[at],
                        std_error=loo.std_error[at],
                        df=loo.df[at],
                        statistic=loo.statistic[at],
                        p_value=loo.p_value[at],
                        **interval(loo.estimate[at], loo.std_error[at], loo.df[at], plan.alpha),
                        n_participants=fit.design.people - 1,
                        n_observations=len(fit.design.rows) - visits,
                        n_pairs=fit.design.with_pairs - (visits > 1),
                        participant_number=loo.who[one],
                        note=joined(f"without participant {loo.who[one]}", several),
                    )
                )
    return rows


def largest_shift(loo: LeaveOneOut, fit: ModelFit, outcome: str, term: str) -> tuple[float, int] | None:
    """Return the largest change of an estimate by leaving a participant out, in its standard errors, and who.

    Signed as the estimate moves when the participant is left out (DFBETAS with the full fit's standard
    error).
    """
    column, index = fit.outcomes.index(outcome), loo.terms.index(term)
    row = fit.rows.index(term)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (loo.estimate[:, index, column] - fit.tests.estimate[row, column]) / fit.tests.std_error[
            row, column
        ]
    if np.isnan(shift).all():
        return None
    one = int(np.nanargmax(np.abs(shift)))
    return float(shift[one]), loo.who[one]


def equivalence_rows(
    fit: ModelFit, cohort: Cohort, base: Mapping[tuple[str, str], Row], plan: Plan
) -> list[Row]:
    """Two one-sided tests of the session change against the model's declared bound (Schuirmann 1987).

    The p-value is the larger of the two; the interval has level 1 - 2 alpha, as the test has. The baseline SD
    is that of the analysis sample.
    """
    from scipy.special import stdtr

    declared = fit.model.equivalence
    if declared is None or not is_change(fit.model) or fit.design.kinds.get(SESSION) != "categorical":
        return []
    first = cohort.session[fit.design.rows] == cohort.session[fit.design.rows].min()
    reference = cohort.sessions[int(cohort.session[fit.design.rows].min())]
    standardized = declared["unit"] == "baseline_sd"
    rows = []
    for column, outcome in enumerate(fit.outcomes):
        row = base[outcome, SESSION]
        if not row["std_error"] > 0:
            continue
        spread = fit.values[first, column].std(ddof=1)
        bound = declared["bound"] * (spread if standardized else 1.0)
        scaled = np.array([row["estimate"] + bound, bound - row["estimate"]]) / row["std_error"]
        in_sd = {"bound_sd": declared["bound"], "bound_session": reference} if standardized else {}
        words = f" = {declared['bound']:g} SD at {reference}" if standardized else ""
        rows.append(
            variant_row(
                row,
                "equivalence",
                estimate=row["estimate"],
                std_error=row["std_error"],
                df=row["df"],
                statistic=scaled.min(),
                p_value=float(stdtr(row["df"], -scaled).max()),
                **interval(row["estimate"], row["std_error"], row["df"], 2 * plan.alpha),
                bound=bound,
                **in_sd,
                note=f"two one-sided tests, bound {bound:.4g}{words}; {1 - 2 * plan.alpha:.0%} interval",
            )
        )
    return rows


def delta_adjusted_rows(
    fit: ModelFit, cohort: Cohort, base: Mapping[tuple[str, str], Row], plan: Plan
) -> list[Row]:
    """Change of questionnaires if the lost changed less, or the other way, by half a baseline SD.

    Pattern mixture for two sessions: the change over everyone is the model's plus (share lost) x delta, with
    the share taken as known.
    """
    if not is_change(fit.model) or len(fit.design.columns) != 2:
        return []
    session = cohort.session[fit.design.rows]
    first = session == session.min()
    came = np.bincount(fit.design.person[first], minlength=fit.design.people) > 0
    back = np.bincount(fit.design.person[~first], minlength=fit.design.people) > 0
    share = float((came & ~back).sum() / max(came.sum(), 1))
    rows = []
    for column, outcome in enumerate(fit.outcomes):
        row = base[outcome, SESSION]
        if cohort.domains.get(outcome) != "questionnaire" or not row["std_error"] > 0:
            continue
        delta = -np.sign(row["estimate"]) * 0.5 * fit.values[first, column].std(ddof=1)
        estimate = row["estimate"] + share * delta
        rows.append(
            variant_row(
                row,
                "delta_adjusted",
                estimate=estimate,
                std_error=row["std_error"],
                df=row["df"],
                **tested(estimate, row["std_error"], row["df"]),
                **interval(estimate, row["std_error"], row["df"], plan.alpha),
                choices="delta_adjusted",
                note=f"the {share:.0%} lost changed by {delta:+.4g} (half a baseline SD) against the others",
            )
        )
    return rows


def bootstrap_rows(
    fit: ModelFit, base: Mapping[tuple[str, str], Row], plan: Plan, draws: int = 4999
) -> list[Row]:
    """Parametric bootstrap of each tested term: |t| or F in data drawn from the fit without the term."""
    rows = []
    engine = mixed_model(fit.design, fit.model.random)
    for term in (term for term in fit.model.test if term in fit.rows):
        columns = list(fit.design.terms[term])
        rest = [column for column in range(fit.design.X.shape[1]) if column not in columns]
        null = replace(
            fit.design, X=fit.design.X[:, rest], columns=tuple(fit.design.columns[k] for k in rest)
        )
        for column, outcome in enumerate(fit.outcomes):
            row = base[outcome, term]
            values = fit.values[:, [column]]
            sigma, ratio, fixed = variance_parts(null, values, fit.model.random)
            if not (np.isfinite(row["p_value"]) and np.isfinite(sigma)):
                continue
            rng = np.random.default_rng(_SEED)
            person = rng.standard_normal((fit.design.people, draws))[fit.design.person]
            noise = rng.standard_normal((len(values), draws))
            drawn = fixed[:, None] + sigma * (np.sqrt(ratio) * person + noise)
            tests = engine.fit(drawn, {term: fit.fit.hypotheses[term]}).tests(plan.inference)
            beyond = np.abs(tests.statistic[0]) >= abs(row["statistic"]) * (1 - 1e-12)
            rows.append(
                variant_row(
                    row,
                    "parametric_bootstrap",
                    estimate=row["estimate"],
                    std_error=row["std_error"],
                    statistic=row["statistic"],
                    p_value=(1 + float(beyond.sum())) / (draws + 1),
                    method=f"parametric bootstrap, {draws} draws",
                )
            )
    return rows


def variance_parts(design: Design, values: Array, random: bool) -> tuple[float, float, Array]:
    """Return residual SD, person variance over residual variance, and the fixed part, of one outcome."""
    fit = mixed_model(design, random).fit(values)
    fixed = design.X @ fit.tests().estimate[:, 0]
    residual = values[:, 0] - fixed
    ratio = float(fit.icc[0] / (1 - fit.icc[0])) if random else 0.0
    # residual' V^-1 residual / (n - p), with V = I + ratio Z Z' inverted in closed form
    size = np.bincount(design.person)
    total = np.bincount(design.person, residual)
    square = residual @ residual - (ratio * total**2 / (1 + ratio * size)).sum()
    return float(np.sqrt(square / (len(residual) - design.X.shape[1]))), ratio, fixed


def censored_rows(
    fit: ModelFit,
    column: int,
    below: NDArray[np.bool_],
    limits: Array,
    base: Mapping[tuple[str, str], Row],
    plan: Plan,
) -> list[Row]:
    """Refit an outcome with values below the limit of detection censored at it.

    Parameters
    ----------
    below : (n,) bool
        On the design's rows.
    limits : (n,) float
        Where below: the limit of detection; NaN, where none is known, stands for the smallest value detected.
    """
    if not below.any() or below.all() or not fit.model.random:
        return []
    values = fit.values[:, column].copy()
    known = np.isfinite(limits[below])
    values[below] = np.where(known, limits[below], values[~below].min())
    span = " to ".join(dict.fromkeys(f"{one:.4g}" for one in (values[below].min(), values[below].max())))
    words = f"left-censored at {span}" + (
        "" if known.all() else ", the smallest value detected where unknown"
    )
    sigma, ratio, _ = variance_parts(fit.design, values[:, None], True)
    columns = [fit.rows.index(name) for name in fit.design.columns]
    start = np.r_[
        fit.tests.estimate[columns, column], np.log(sigma * np.sqrt(max(ratio, 0.05))), np.log(sigma)
    ]
    try:
        found = fit_censored(fit.design.X, fit.design.person, values, below, start)
    except ValueError:
        return []
    rows = []
    for term in fit.model.test:
        places = fit.design.terms.get(term, ())
        if len(places) != 1:
            continue
        row = base[fit.outcomes[column], term]
        estimate, error = float(found.estimate[places[0]]), float(found.std_error[places[0]])
        rows.append(
            variant_row(
                row,
                "cortisol_censored",
                estimate=estimate,
                std_error=error,
                df=row["df"],
                **tested(estimate, error, row["df"]),
                **interval(estimate, error, row["df"], plan.alpha),
                icc=found.sd_person**2 / (found.sd_person**2 + found.sd_residual**2),
                choices="cortisol_censored",
                method="ML, left-censored normal; t with the prespecified fit's df",
                note=f"{below.sum()} values below the limit of detection, {words}",
            )
        )
    return rows
