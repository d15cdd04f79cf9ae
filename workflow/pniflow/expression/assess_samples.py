"""What speaks for and against each blood sample: depth, outliers, sex, B cells, and whose it is.

Every check marks, none drops. In a study of women only, sex genes cannot see two exchanged tubes; genes whose
expression hangs on the genotype (a deletion, a splice variant, a haplotype) can. The genes of each check:
resources/genes/sample_checks.tsv.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pniflow.contracts import read_table, write_table
from pniflow.expression.genes import checks, symbols
from pniflow.expression.ingest_expression import read_levels
from pniflow.expression.log2_table import Expression, read_expression
from pniflow.expression.nanostring import QUALITY, lane_checks
from pniflow.expression.normalize_expression import MINIMUM_REFERENCES
from pniflow.expression.people import of_samples, read_people, read_visits

if TYPE_CHECKING:
    import pandas as pd

FEW_READS = 5e6
WHOLE_TRANSCRIPTOME = 5000
LOW_CORRELATION = 0.85
# Of the robust z (Iglewicz & Hoaglin 1993); and a tenth, as of samples that are all alike some are far.
OUTLYING, TENTH = 3.5, 0.1
SEX_MARGIN = 2.0
Y_RANGE = 3.0  # log2: a Y-linked gene that differs more over samples tells the sexes apart
MOSTLY_GLOBIN = 0.5
B_CELLS_LOST = 1.0  # log2: depleted, and less below the others' median than this
B_CELLS_FEW = 3.0  # log2: not depleted, and more below it than this
GENOTYPE_GENES = 3


def assess_samples(
    *,
    levels: Path,
    expression: Path,
    samples: Path,
    participants: Path | None = None,
    sessions: Path | None = None,
    out: Path,
) -> None:
    """Assess the quality and identity of each blood sample.

    Parameters
    ----------
    levels : path
        Levels (contract levels).
    expression : path
        Normalized log2 expression.
    samples : path
        Table of samples (contract samples); further columns, such as rin or tube, are carried along.
    participants : path, optional
        Table of participants: `sex` and `b_cell_depletion` are compared with expression where they are
        recorded.
    sessions : path, optional
        Table of sessions: `b_cell_depletion` where it is an exposure of the session.
    out : path
        One row per sample (contract sample_quality); of a sample that the study excludes only the reason.

    Raises
    ------
    InputError
        A table is against its contract.
    """
    import pandas as pd

    sheet = read_table(samples, "samples")
    table = sheet.merge(read_levels(levels), on="sample_id", how="inner", validate="1:1")
    values = _aligned(read_expression(expression), list(table["sample_id"]))
    people, visits = read_people(participants), read_visits(sessions)
    lane = [name for name in QUALITY if name in table]
    result = table[[*sheet.columns, *_CARRIED, *lane]].copy()
    if table["unit"].iloc[0] != "counts":
        result["library_size"] = np.nan  # the sum of TPM is no depth
    result["globin_share"] = _globin_share(table)
    result["reference_level"] = _reference_level(table)
    result["female_minus_male_genes"] = _mean_of(values, "female") - _male_level(values)
    result["sex_expressed"] = _sex(result["female_minus_male_genes"])
    result["sex_recorded"] = of_samples("sex", table, people, pd.DataFrame())
    result["b_cell_level"] = _mean_of(values, "b_cell")
    result["b_cell_depletion"] = of_samples("b_cell_depletion", table, people, visits)
    genotype = [gene for gene in checks("genotype") if gene in values.index]
    # One more per million: an absent gene's single stray read is no difference.
    level = np.log2(1 + np.exp2(values.loc[genotype].to_numpy(dtype=float)))
    own, other, who, between = concordance(level, list(table["participant_id"]))
    result["own_distance"], result["other_distance"], result["other_participant"] = own, other, who
    result["flags"] = _flags(result, between)
    if "excluded" in sheet:
        left = sheet[sheet["excluded"].notna()]
        result = pd.concat([result, left], ignore_index=True)[list(result.columns)]
    write_table(result, out, "sample_quality")


_CARRIED = [
    "label",
    "format",
    "library_size",
    "detected_genes",
    "top_gene",
    "top_gene_share",
    "profile_correlation",
]


def _aligned(table: Expression, samples: list[str]) -> pd.DataFrame:
    """Return expression as genes x samples, in the order of the samples."""
    import pandas as pd

    return pd.DataFrame(table.values, table.genes, table.samples).reindex(columns=samples)


def _mean_of(values: pd.DataFrame, role: str) -> np.ndarray:
    """Return each sample's mean log2 expression of the genes of a check; nan without any."""
    return values.loc[[gene for gene in checks(role) if gene in values.index]].mean().to_numpy(dtype=float)


def _male_level(values: pd.DataFrame) -> np.ndarray:
    """Return the mean of the Y-linked genes, or the highest of those that tell men from women in this study.

    On arrays some of them lie at the background in men, too, and some probes answer to the gene's twin on the
    X chromosome in women.
    """
    genes = values.loc[[gene for gene in checks("male") if gene in values.index]]
    telling = genes[genes.max(axis=1) - genes.min(axis=1) > Y_RANGE]
    mean = genes.mean().to_numpy(dtype=float)
    return np.asarray(np.fmax(mean, telling.max().to_numpy(dtype=float)) if len(telling) else mean)


def _globin_share(table: pd.DataFrame) -> pd.Series:
    return (
        table[[gene for gene in checks("globin") if gene in table]].sum(axis=1, min_count=1)
        / table["library_size"]
    )


def _reference_level(table: pd.DataFrame) -> pd.Series:
    """Return the mean of the reference genes; of panels without them that of their own housekeeping genes."""
    found = [gene for gene in symbols("reference11") if gene in table]
    own = len(found) < MINIMUM_REFERENCES and table["housekeeping"].notna().all()
    mean = table["housekeeping"] if own else table[found].mean(axis=1)
    return mean * 1e6 / table["library_size"] if table["unit"].iloc[0] == "counts" else mean


def _sex(difference: pd.Series) -> list[str | None]:
    return [
        None if np.isnan(d) else "female" if d > SEX_MARGIN else "male" if d < -SEX_MARGIN else "unclear"
        for d in difference
    ]


def concordance(
    values: np.ndarray, people: list[str]
) -> tuple[np.ndarray, np.ndarray, list[str | None], float]:
    """Compare each sample with its participant's other samples and with the nearest other participant.

    Parameters
    ----------
    values : array, genes x samples
        Log2 expression of genotype-driven genes.
    people : list of str
        Participant of each sample.

    Returns
    -------
    own, other : array, samples
        Root mean square difference over genes from the mean of the participant's other samples (nan for an
        only sample), and from the mean of the nearest other participant's samples.
    nearest : list
        That participant.
    between : float
        Mean difference from the means of all other participants.
    """
    names, place = np.unique(people, return_inverse=True)
    count = values.shape[1]
    nothing: list[str | None] = [None] * count
    if len(values) < GENOTYPE_GENES or np.isnan(values).any():
        return np.full(count, np.nan), np.full(count, np.nan), nothing, np.nan
    size = np.bincount(place)
    total = np.stack([np.bincount(place, weights=row) for row in values])
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (total[:, place] - values) / (size[place] - 1)
    own = np.sqrt(((values - rest) ** 2).mean(axis=0))
    if len(names) < 2:
        return own, np.full(count, np.nan), nothing, np.nan
    other, nearest, between = np.empty(count), np.empty(count, dtype=int), 0.0
    centre = total / size
    for start in range(0, count, 500):
        part = slice(start, start + 500)
        distance = np.sqrt(((values[:, part, None] - centre[:, None, :]) ** 2).mean(axis=0))
        distance[np.arange(distance.shape[0]), place[part]] = 0
        between += float(distance.sum()) / (count * (len(names) - 1))
        distance[np.arange(distance.shape[0]), place[part]] = np.inf
        nearest[part] = distance.argmin(axis=1)
        other[part] = distance.min(axis=1)
    return own, other, [str(names[n]) for n in nearest], between


def robust_z(values: np.ndarray) -> np.ndarray:
    """Return 0.6745 (x - median) / MAD; nan without spread."""
    centre = np.nanmedian(values) if not np.isnan(values).all() else np.nan
    spread = np.nanmedian(np.abs(values - centre)) if not np.isnan(values).all() else np.nan
    return 0.6745 * (values - centre) / spread if spread > 0 else np.full(len(values), np.nan)


def _outlying(values: np.ndarray, least: float) -> np.ndarray:
    """Return the sign of values that are far from the median, by the robust z and by the least difference."""
    difference = values - np.nanmedian(values) if not np.isnan(values).all() else values
    far = (np.abs(robust_z(values)) > OUTLYING) & (np.abs(difference) > least)
    return np.where(far, np.sign(difference), 0)


def _flags(table: pd.DataFrame, between: float) -> list[str | None]:
    """Say in words what is notable of each sample; `between` as `concordance` returns it."""
    column = {
        name: table[name].to_numpy(dtype=float)
        for name in table
        if table[name].dtype.kind in "fiI" or name == "detected_genes"
    }
    whole = np.nan_to_num(column["detected_genes"]) > WHOLE_TRANSCRIPTOME
    own = column["own_distance"]
    with np.errstate(divide="ignore", invalid="ignore"):
        marks = {
            "fewer than 5 million reads": whole & (column["library_size"] < FEW_READS),
            "profile correlation below 0.85": column["profile_correlation"] < LOW_CORRELATION,
            "outlying library size": _outlying(np.log(column["library_size"]), TENTH) != 0,
            "outlying number of detected genes": _outlying(np.log(column["detected_genes"]), TENTH) != 0,
            "outlying share of one gene": _outlying(np.log(column["top_gene_share"]), TENTH) > 0,
            "globin above half of the library": column["globin_share"] > MOSTLY_GLOBIN,
            "outlying share of globin": _outlying(column["globin_share"], TENTH) > 0,
            "outlying reference genes": _outlying(_log2_level(table), TENTH) != 0,
            "outlying profile": _outlying(column["profile_correlation"], TENTH**2) < 0,
            "sex differs from the record": np.array(
                [
                    {a, b} == {"female", "male"}
                    for a, b in zip(table["sex_expressed"], table["sex_recorded"], strict=True)
                ]
            ),
            "sex differs between the person's samples": _sexes_differ(table),
            "B cells in spite of depletion": _b_cells(table, "yes"),
            "few B cells without a record of depletion": _b_cells(table, "no"),
            # Of few people an exchange makes most samples outlying: then the distance between people tells.
            "nearer to another participant": (own > column["other_distance"])
            & ((own > between / 2) | (robust_z(own) > OUTLYING)),
        } | _lane_marks(table)
    return ["; ".join(text for text, flag in marks.items() if flag[row]) or None for row in range(len(table))]


def _sexes_differ(table: pd.DataFrame) -> np.ndarray:
    """Tell which samples express another sex than most of the person's, where the sex is not recorded.

    Of a person with as many samples of either sex all are marked.
    """
    clear = table["sex_expressed"].isin(["female", "male"]) & table["sex_recorded"].isna()
    female = (table["sex_expressed"] == "female")[clear].astype(float)
    share = female.groupby(table["participant_id"][clear]).transform("mean").reindex(table.index)
    own = share.where(table["sex_expressed"] == "female", 1 - share)
    return (own <= 0.5).to_numpy(dtype=bool)


def _lane_marks(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Tell which samples' nanoString lanes are outside the bounds of resources/genes/lane_checks.tsv."""
    marks = {}
    for check in lane_checks():
        if check["measure"] not in table:
            continue
        value = table[check["measure"]]
        outside = (value < check["low"]) | (value > check["high"])
        if isinstance(check["instrument"], str):
            # A lane whose instrument nobody says is judged as most are.
            outside &= table["instrument"].fillna("nCounter MAX or FLEX") == check["instrument"]
        marks[str(check["flag"])] = outside.to_numpy(dtype=bool)
    return marks


def _log2_level(table: pd.DataFrame) -> np.ndarray:
    """Return the reference genes' level on the log2 scale, on which log2 values and cycles are already."""
    level = table["reference_level"].to_numpy(dtype=float)
    return np.log2(level) if table["top_gene_share"].notna().any() else level


def _b_cells(table: pd.DataFrame, record: str) -> np.ndarray:
    """Tell which samples express B-cell genes against the record (yes, no) of depletion."""
    level, recorded = (
        table["b_cell_level"].to_numpy(dtype=float),
        table["b_cell_depletion"].to_numpy(dtype=object),
    )
    with_cells = level[recorded == "no"]
    if not len(with_cells):
        return np.zeros(len(table), dtype=bool)
    usual = np.nanmedian(with_cells) if not np.isnan(with_cells).all() else np.nan
    against = level > usual - B_CELLS_LOST if record == "yes" else level < usual - B_CELLS_FEW
    return np.asarray((recorded == record) & against)
