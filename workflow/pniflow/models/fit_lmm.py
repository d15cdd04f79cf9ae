"""`pniflow fit-lmm`: one mixed model of any table, for checking against other software."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow import contracts, files
from pniflow.errors import InputError, listing
from pniflow.mixed import NOT_ESTIMABLE, Fit, MixedModel, RandomTerm, independent_columns

if TYPE_CHECKING:
    import pandas as pd

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
    table = read_any(Path(data))
    _check_words(data, list(table.columns), response, fixed, group, slope)
    used = list(dict.fromkeys([response, *fixed, *slope, *group]))
    complete = table[used].dropna()
    if complete.empty:
        raise InputError(f"{data}: no row has a value in all of {listing(used)}; nothing can be fitted.")
    names = dict.fromkeys([response, *fixed, *slope])
    numbers = {name: finite_numbers(data, complete[name]) for name in names}
    columns = {name: numbers[name] for name in fixed}
    slopes = {name: numbers[name] for name in slope}
    _require_slopes(data, slopes)
    random = {
        name: RandomTerm(complete[name].to_numpy(), slopes if name == group[0] else {}) for name in group
    }
    fit = MixedModel(columns, random).fit({response: numbers[response]})
    left_out = len(table) - len(complete)
    words = [f"{left_out} of {len(table)} rows left out: a value is missing" if left_out else "", fit.note[0]]
    words += [] if fit.tests().estimable.all() else [NOT_ESTIMABLE]
    result = {"names": list(fit.names), **_report(fit, fixed), "note": "; ".join(filter(None, words))}
    result["n_observations"] = len(complete)
    result["n_groups"] = {name: int(complete[name].nunique()) for name in group}
    files.write_json(out, result)


def read_any(path: Path) -> pd.DataFrame:
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
        table = contracts.read_table(path).astype(object)
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


def finite_numbers(path: Path, column: pd.Series) -> NDArray[np.float64]:
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


def _require_slopes(path: Path, slopes: Mapping[str, Any]) -> None:
    """Columns with a random slope must vary beside the random intercept and each other."""
    columns = [np.ones(len(one)) for one in slopes.values()][:1] + list(slopes.values())
    unfit = independent_columns(np.column_stack(columns), ["(intercept)", *slopes]).note if slopes else ""
    if unfit:
        raise InputError(f"{path}: --slope needs columns that vary on their own ({unfit}); leave some out.")


def _report(fit: Fit, fixed: list[str]) -> dict[str, Any]:
    """The fit in JSON's types; NaN is null."""
    variances: dict[str, Any] = {}
    correlations: dict[str, Any] = {}
    for name, (covariance,) in fit.covariances.items():
        effects = [name, *(f"{name}:{slope}" for slope in fit.effects[name][1:])]
        variances.update(zip(effects, _plain(np.diag(covariance)), strict=True))
        deviations = np.sqrt(np.diag(covariance))
        for a, b in zip(*np.tril_indices(len(effects), -1), strict=True):
            product = deviations[a] * deviations[b]
            value = covariance[a, b] / product if product > 0 else np.nan
            correlations[f"{effects[b]}, {effects[a]}"] = _plain(value)
    all_fixed = fit.contrast({"all_fixed": fixed}) if fixed else fit
    joint = _by_method(all_fixed, 0, f="statistic", df="df", p="p_value")
    if len(fixed) == 1:  # F is the square of t
        joint |= {name: t * t if t is not None else None for name, t in joint.items() if name[0] == "f"}
    return {
        "estimate": _plain(fit.tests().estimate[:, 0]),
        "se_reml": _plain(fit.tests("satterthwaite").std_error[:, 0]),
        "se_kr": _plain(fit.tests("kenward_roger").std_error[:, 0]),
        **_by_method(fit, slice(None), df="df"),
        **_by_method(fit, slice(None), t="statistic"),
        **_by_method(fit, slice(None), p="p_value"),
        "sigma2": _plain(fit.sigma2[0]),
        "variances": variances,
        **({"correlations": correlations} if correlations else {}),
        "reml_loglik": _plain(fit.reml_loglik[0]),
        "ml_loglik": _plain(fit.ml_loglik[0]),
        "singular": bool(fit.singular[0]),
        **({"all_fixed": {"df_numerator": len(fixed), **joint}} if fixed else {}),
    }


def _by_method(fit: Fit, term: slice | int, **columns: str) -> dict[str, Any]:
    """Columns of the tests by both methods, under short names."""
    return {
        f"{name}_{way}": _plain(getattr(fit.tests(method), column)[term, 0])
        for way, method in (("satterthwaite", "satterthwaite"), ("kr", "kenward_roger"))
        for name, column in columns.items()
    }


def _plain(value: Any) -> Any:
    """Floats for JSON: NaN and infinite become null."""
    if np.ndim(value):
        return [_plain(one) for one in value]
    return float(value) if np.isfinite(value) else None
