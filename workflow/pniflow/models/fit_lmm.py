"""`pniflow fit-lmm`: one mixed model of any table, for checking against other software."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files
from pniflow.errors import InputError, listing
from pniflow.mixed.inference import Array, FTest, independent_columns
from pniflow.mixed.lmm import LmmFit, RandomTerm, lmm
from pniflow.mixed.random_intercept import random_intercept

if TYPE_CHECKING:
    import pandas as pd

_TESTS = ("estimate", "se_reml", "se_kr", "df_satterthwaite", "df_kr")
_MISSING = ("", "NA", "NaN", "nan")


def fit_lmm(
    *,
    data: Path,
    response: str,
    fixed: list[str] | None = None,
    group: list[str],
    slope: list[str] | None = None,
    out: Path,
) -> None:
    """Fit one linear mixed model by REML, with Satterthwaite and Kenward-Roger tests.

    Parameters
    ----------
    data : Path
        A table with a header line: .csv, .tsv or .parquet. Blank and NA are missing.
    response : str
        Column with the outcome.
    fixed : list of str
        Columns with fixed effects, numeric, used as given. The intercept is always in.
    group : list of str
        Columns with grouping factors; several are nested or crossed as their labels are.
    slope : list of str
        Columns with a random slope by the first group, correlated with its random intercept.
    out : Path
        The fit, as JSON: lists in the order of `names`, "(intercept)" first; what is not estimable is null.

    Raises
    ------
    InputError
        The file or a column cannot be used.
    """
    fixed, slope = fixed or [], slope or []
    table = _read(Path(data))
    _check_words(data, list(table.columns), response, fixed, group, slope)
    used = list(dict.fromkeys([response, *fixed, *slope, *group]))
    complete = table[used].dropna()
    if complete.empty:
        raise InputError(f"{data}: no row has a value in all of {listing(used)}; nothing can be fitted.")
    numbers = {name: _numbers(data, complete[name]) for name in dict.fromkeys([response, *fixed, *slope])}
    design = np.column_stack([np.ones(len(complete)), *(numbers[name] for name in fixed)])
    names = ["(intercept)", *fixed]
    slopes = _slopes(data, numbers, slope)
    joint = [np.eye(len(names))[1:]] if fixed else []
    fit: Any
    if len(group) == 1 and not slope:
        labels = complete[group[0]].to_numpy()
        fit = _first(random_intercept(design, labels, numbers[response], names=names, joint=joint, ml=True))
    else:
        terms = [
            RandomTerm(name, complete[name].to_numpy(), *((slopes, slope) if name == group[0] else ()))
            for name in group
        ]
        fit = lmm(design, numbers[response], terms, names=names, joint=joint, ml=True)
    left_out = len(table) - len(complete)
    words = [f"{left_out} of {len(table)} rows left out: a value is missing" if left_out else "", fit.note]
    result = {"names": names, **_report(fit, group, slope), "note": "; ".join(filter(None, words))}
    result["n_observations"] = len(complete)
    result["n_groups"] = {name: int(complete[name].nunique()) for name in group}
    files.write_json(out, result)


def _read(path: Path) -> pd.DataFrame:
    """Read a table as text, missing as None."""
    import pandas as pd

    if path.suffix == ".csv":
        try:
            rows = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file.") from None
        except pd.errors.EmptyDataError:
            raise InputError(f"{path}: the file is empty; a header line and rows were expected.") from None
        except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: this is not a readable .csv table ({reason}).") from None
        table = rows.iloc[1:].set_axis(rows.iloc[0].str.strip(), axis=1).reset_index(drop=True)
    else:
        table = files.read_table(path).astype(object)
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(
            f"{path}: the column '{twice[0]}' stands twice in the header; give each its own name."
        )
    if table.empty:
        raise InputError(f"{path}: there are no rows below the header; one row per observation was expected.")
    return table.map(
        lambda cell: None if pd.isna(cell) or str(cell).strip() in _MISSING else str(cell).strip()
    )


def _check_words(
    path: Path, columns: Sequence[str], response: str, fixed: list[str], group: list[str], slope: list[str]
) -> None:
    """Every name must be a column, in a role that makes sense."""
    for option, values in (("response", [response]), ("fixed", fixed), ("group", group), ("slope", slope)):
        for position, name in enumerate(values):
            if name not in columns:
                raise InputError(
                    f"{path}: --{option} names '{name}', which is no column; there are "
                    f"{listing(columns)} (names are taken as they are, formulas are not read)."
                )
            if name in values[:position]:
                raise InputError(f"{path}: --{option} names '{name}' twice; give it once.")
    if not group:
        raise InputError(f"{path}: --group is empty; name the column that tells which rows belong together.")
    for option, values in (("fixed", fixed), ("slope", slope), ("group", group)):
        if response in values:
            raise InputError(f"{path}: '{response}' is the response and cannot also be under --{option}.")


def _numbers(path: Path, column: pd.Series) -> Array:
    """The column as finite numbers."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = column.index[bad[0]] + 1
        raise InputError(
            f"{path}: row {row} below the header has '{column.iloc[bad[0]]}' in column '{column.name}', "
            "where a finite number was expected; code categories as numeric columns (for example 0 and 1)."
        )
    return values


def _slopes(path: Path, numbers: dict[str, Array], names: list[str]) -> Array | None:
    """Columns with a random slope, which must vary beside the random intercept and each other."""
    if not names:
        return None
    slopes = np.column_stack([numbers[name] for name in names])
    with_ones = np.column_stack([np.ones(len(slopes)), slopes])
    unfit = independent_columns(with_ones, ["(intercept)", *names]).note
    if unfit:
        raise InputError(f"{path}: --slope needs columns that vary on their own ({unfit}); leave some out.")
    return slopes


def _first(fit: Any) -> LmmFit:
    """The only outcome of a `random_intercept` fit, in the form of `lmm`'s."""
    hidden = "not estimable" if any(fit.contrast_note) else ""
    return LmmFit(
        **{name: getattr(fit, name)[:, 0] for name in _TESTS},
        sigma2=float(fit.sigma2[0]),
        covariances=[fit.person_variance.reshape(1, 1)],
        reml_loglik=float(fit.reml_loglik[0]),
        ml_loglik=float(fit.ml_loglik[0]),
        singular=bool(fit.singular[0]),
        joint=fit.joint,
        note="; ".join(filter(None, [fit.note[0], hidden])),
    )


def _report(fit: LmmFit, group: list[str], slope: list[str]) -> dict[str, Any]:
    """The fit in JSON's types; NaN is null."""
    by_coefficient = [*_TESTS, "t_satterthwaite", "t_kr", "p_satterthwaite", "p_kr"]
    variances: dict[str, Any] = {}
    correlations: dict[str, Any] = {}
    for name, covariance in zip(group, fit.covariances, strict=True):
        effects = [name, *(f"{name}:{one}" for one in slope)][: len(covariance)]
        variances.update(zip(effects, _plain(np.diag(covariance)), strict=True))
        deviations = np.sqrt(np.diag(covariance))
        for a, b in zip(*np.tril_indices(len(effects), -1), strict=True):
            product = deviations[a] * deviations[b]
            value = covariance[a, b] / product if product > 0 else np.nan
            correlations[f"{effects[b]}, {effects[a]}"] = _plain(value)
    return {
        **{name: _plain(getattr(fit, name)) for name in by_coefficient},
        "sigma2": _plain(fit.sigma2),
        "variances": variances,
        **({"correlations": correlations} if correlations else {}),
        "reml_loglik": _plain(fit.reml_loglik),
        "ml_loglik": _plain(fit.ml_loglik),
        "singular": bool(fit.singular),
        **({"all_fixed": _f_test(fit.joint[0])} if fit.joint else {}),
    }


def _f_test(test: FTest) -> dict[str, Any]:
    """The joint test of all fixed columns."""
    names = ("f_satterthwaite", "df_satterthwaite", "p_satterthwaite", "f_kr", "df_kr", "p_kr")
    return {"df_numerator": test.df_numerator, **{name: _plain(getattr(test, name)[0]) for name in names}}


def _plain(value: Any) -> Any:
    """Floats for JSON: NaN and infinite become null."""
    if np.ndim(value):
        return [_plain(one) for one in value]
    return float(value) if np.isfinite(value) else None
