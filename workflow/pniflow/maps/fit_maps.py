"""One model at every vertex or voxel: each is fitted and tested as a measure would be (`mixed_model`), in
blocks; `familywise` adds the p-values over the whole map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.maps.familywise import Exchange, Space, exchange_of, familywise, shuffles_of
from pniflow.mixed import one_blas_thread
from pniflow.models import planning, results
from pniflow.models.analysis import design_groups, mixed_model
from pniflow.models.design import Design
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import SESSION, Cohort

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Reader = Callable[[slice], Array]  # columns of the map -> (n, width) values on the design's rows

BLOCK = 8192  # elements fitted at once


@dataclass(frozen=True)
class MapTest:
    """One tested term of one model over a map; arrays are (V,), NaN where nothing could be fitted.

    Attributes
    ----------
    permuted : array
        t of the permutation test (of complete pairs, or of persons' means), whose largest value counts.
    p_fwe, p_tfce : array
        Family-wise p over the whole map; NaN where the term cannot be permuted.
    row : mapping
        The columns of the results tables that hold for the whole map.
    """

    model: Model
    term: str
    estimate: Array
    std_error: Array
    df: Array
    statistic: Array
    p_value: Array
    singular: NDArray[np.bool_]
    permuted: Array
    p_fwe: Array
    p_tfce: Array
    row: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Name of the test as people see it."""
        return f"{self.model.name}/{self.row['outcome']}/{self.term}"


def map_cohort(
    cohort: Cohort, index: pd.DataFrame, exclusions: pd.DataFrame, outcome: str
) -> tuple[Cohort, int]:
    """Return the cohort with a further measure: the place of each row's scan in the array of maps.

    Parameters
    ----------
    index : DataFrame
        `scan`, `participant_id`, `session_id`, and `place` in the array.
    exclusions : DataFrame
        Contract `exclusions`: scans that the cohort leaves out are left out here.
    outcome : str
        `surface.<measure>` or `voxels.<measure>`.

    Returns
    -------
    cohort : Cohort
    unused : int
        Scans that passed and stand for no row of the cohort.
    """
    out = set(exclusions["item"])
    names = ["scan {}", "thickness of scan {}"] if outcome.endswith(".thickness") else ["scan {}"]
    kept = index[[not any(name.format(scan) in out for name in names) for scan in index["scan"]]]
    person = {name: code for code, name in enumerate(cohort.participants)}
    session = {name: code for code, name in enumerate(cohort.sessions)}
    rows = {
        (who, when): row
        for row, (who, when) in enumerate(zip(cohort.person.tolist(), cohort.session.tolist(), strict=True))
    }
    places = np.full(len(cohort.person), np.nan)
    unused = 0
    for who, when, place in zip(kept["participant_id"], kept["session_id"], kept["place"], strict=True):
        row = rows.get((person.get(who, -1), session.get(when, -1)))
        if row is None:
            unused += 1
        else:
            places[row] = place
    return (
        replace(
            cohort,
            measures={**cohort.measures, outcome: places},
            domains={**cohort.domains, outcome: "imaging"},
            units={**cohort.units, outcome: ""},
        ),
        unused,
    )


def fit_maps(
    plan: Plan,
    over: str,
    measure: str,
    cohort: Cohort,
    maps: NDArray[np.float32],
    space: Space,
    *,
    permutations: int,
    threads: int = 1,
    block: int = BLOCK,
) -> tuple[list[MapTest], list[str]]:
    """Fit all models of a kind of map.

    Parameters
    ----------
    over, measure : str
        `surface` or `voxels`, and what its values are.
    cohort : Cohort
        With the scans' places, see `map_cohort`.
    maps : (scans, V) array
        May be mapped from a file.
    permutations, threads, block : int
        Shuffles of persons; threads for TFCE; elements fitted at once (no result depends on the last two).

    Returns
    -------
    tests : list of MapTest
        Models and terms in the order of models.yaml.
    left_out : list of str
        Models that the study cannot have, with the reason.

    Raises
    ------
    InputError
        As for models of measures; a tested term with several coefficients; no element with values.
    """
    outcome = f"{over}.{measure}"
    chosen = tuple(model for model in plan.maps if model.outcomes == (outcome,))
    planned, lacking = planning.planned(replace(plan, models=chosen), cohort)
    tests = []
    left_out = [f"{one['model']}: {one['reason']}" for one in lacking]
    for model in planned:
        try:
            groups, unfitted = design_groups(model, cohort, plan)
        except InputError as error:
            raise InputError(f"{plan.source}: model '{model.name}': {error}.") from None
        if unfitted:
            reason, people, scans = unfitted[outcome]
            left_out.append(f"{model.name}: {reason} (participants: {people}, scans: {scans})")
            continue
        design = groups[0][0]
        places = cohort.measures[outcome][design.rows].astype(int)

        sessions = len(np.unique(cohort.session[design.rows]))
        with one_blas_thread():
            tests += fit_map(
                model,
                design,
                _reader(maps, places),
                maps.shape[1],
                plan,
                space,
                sessions,
                permutations,
                threads,
                block,
            )
    return tests, left_out


def _reader(maps: NDArray[np.float32], scans: NDArray[np.int_]) -> Reader:
    return lambda columns: np.asarray(maps[:, columns])[scans].astype(float)


def fit_map(
    model: Model,
    design: Design,
    read: Reader,
    size: int,
    plan: Plan,
    space: Space,
    sessions: int,
    permutations: int,
    threads: int = 1,
    block: int = BLOCK,
) -> list[MapTest]:
    """Fit one model to every element and test its terms; parameters as in `fit_maps`."""
    tested: list[tuple[str, str, int]] = []
    for term in model.test:
        if len(design.terms[term]) != 1 and term != SESSION:
            raise InputError(
                f"{plan.source}: model '{model.name}' tests '{term}', which has several coefficients; a map "
                "shows one: test a term with two levels, or a number."
            )
        # Each of several sessions, against the reference, has a map of its own.
        several = len(design.terms[term]) > 1
        tested += [(design.columns[at] if several else term, term, at) for at in design.terms[term]]
    at = [column for _, _, column in tested]
    ways = [exchange_of(design, column, model.random, sessions) for column in at]
    fitted, usable, reduced = _fitted(model, design, at, read, size, plan, ways, block)
    result = []
    for number, ((term, of, _), way) in enumerate(zip(tested, ways, strict=True)):
        shuffles, words = shuffles_of(way, reduced.get(way.key), permutations)
        whole = np.full((3, size), np.nan)
        if shuffles is not None:
            whole[:, usable] = familywise(shuffles, space, usable, threads)
        row = _row(model, plan, design, of, words, whole, int(usable.sum())) | {"term": term}
        estimate, std_error, df, statistic, p_value, singular = fitted[:, number]
        result.append(
            MapTest(
                model=model,
                term=term,
                estimate=estimate,
                std_error=std_error,
                df=df,
                statistic=statistic,
                p_value=p_value,
                singular=singular == 1,
                permuted=whole[0],
                p_fwe=whole[1],
                p_tfce=whole[2],
                row=row,
            )
        )
    return result


def _fitted(
    model: Model,
    design: Design,
    at: Sequence[int],
    read: Reader,
    size: int,
    plan: Plan,
    ways: Sequence[Exchange],
    block: int,
) -> tuple[Array, NDArray[np.bool_], dict[tuple[str, int | None], Array]]:
    """Fit every element, in blocks.

    Returns
    -------
    fitted : (6, terms, V) array
        Estimate, standard error, df, statistic, p, whether singular.
    usable : (V,) array
        Elements with values in all scans that are not all the same.
    reduced : mapping of an Exchange's key to (persons, usable elements)
        What the permutation tests of the terms need.
    """
    engine = mixed_model(design, model.random)
    contrasts = {design.columns[column]: {design.columns[column]: 1.0} for column in at}
    fitted = np.full((6, len(at), size), np.nan)
    usable = np.zeros(size, dtype=bool)
    wanted = {way.key: way for way in ways if way.of}
    reduced: dict[tuple[str, int | None], list[Array]] = {key: [] for key in wanted}
    for start in range(0, size, block):
        values = read(slice(start, min(start + block, size)))
        good = np.flatnonzero(np.isfinite(values).all(axis=0))
        good = good[np.ptp(values[:, good], axis=0) > 0]
        if not len(good):
            continue
        usable[start + good] = True
        values = np.ascontiguousarray(values[:, good])
        fit = engine.fit(values, contrasts)
        tests = fit.tests(plan.inference)
        numbers = (tests.estimate, tests.std_error, tests.df, tests.statistic, tests.p_value)
        fitted[:5, :, start + good] = np.stack(numbers)
        fitted[5, :, start + good] = fit.singular[:, None]
        for key, parts in reduced.items():
            parts.append(wanted[key].reduced(design, values))
    if not usable.any():
        raise InputError(
            f"{plan.source}: model '{model.name}': no vertex or voxel has values that differ in all of its "
            f"{len(design.rows)} scans."
        )
    return fitted, usable, {key: np.concatenate(parts, axis=1) for key, parts in reduced.items()}


def _row(
    model: Model, plan: Plan, design: Design, term: str, words: Sequence[str], whole: Array, size: int
) -> dict[str, Any]:
    """Return what holds for the whole map: names, counts, method, remarks."""
    how, remark = words
    method = results.method_name(model, plan)
    tests = "p_fwe" if np.isnan(whole[2]).all() else "p_fwe (max-T) and p_tfce"
    return results.row_of(
        model,
        plan,
        model.outcomes[0].split(".", 1)[1],
        term,
        n_participants=design.people,
        n_observations=len(design.rows),
        elements=size,
        method=f"{method}; {tests}: {how} over the whole map" if how else method,
        note="; ".join(filter(None, (remark, *results.remarks(model, design, term)))),
    )
