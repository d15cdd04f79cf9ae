"""From blocks of rows to levels: needed genes summed up, and totals over the whole file for each sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.expression.genes import GeneMap, Match, identify
from pniflow.expression.matrix import Block
from pniflow.expression.units import LARGEST_LOG2, LINEAR, fractions, offence

if TYPE_CHECKING:
    import pandas as pd

# 1-Mar, Mar-01, 1-Sep-01: what a spreadsheet makes of MARCHF1, SEPTIN1, DELEC1 and their former names; in
# German 01. Mrz, Mrz 01.
_MONTH = "(jan|feb|mar|mrz|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
MANGLED = re.compile(
    rf"(?i)\d{{1,2}}[-./] ?{_MONTH}([-./ ]\d{{2,4}})?|(mar|mrz|mär|sep|dec|dez|oct|okt)[- ]\d{{1,2}}"
    r"|\d{4}-\d\d-\d\d( 00:00:00)?"
)
# Lines of htseq-count (of old versions without "__") and STAR that are no genes.
SUMMARY = re.compile(
    r"__\w+|no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique"
    r"|N_(unmapped|multimapping|noFeature|ambiguous)"
)
PROFILE_MINIMUM = 1.0
# Entrez ids have gaps: of 20,000 genes the highest is above 100 million. Numbers of rows or probes have none.
DENSE, MANY = 5, 100
TRANSCRIPTOME = 1000  # rows; among so many TPM one is far above any log2 value


class Accumulator:
    """Adds up blocks of a matrix: what is needed per gene, and totals per sample.

    Parameters
    ----------
    source : str
        The file, for sentences.
    samples : sequence of str
        Labels of the columns.
    unit : str
        counts, tpm, log2 or ct; cycles are held with their sign turned, so that higher is more expression.
    known : GeneMap
        The curated map.
    housekeeping : sequence of str
        Row labels of the panel's own reference genes.
    estimated : bool
        Counts are estimates (salmon, kallisto, RSEM) and may be fractional.
    kept : bool array, optional
        Which columns of the blocks count; all without it.
    whole : bool
        Keep all rows, for methods that need them.
    """

    def __init__(
        self,
        source: Path | str,
        samples: Sequence[str],
        unit: str,
        known: GeneMap,
        housekeeping: Sequence[str] = (),
        estimated: bool = False,
        kept: np.ndarray | None = None,
        whole: bool = False,
    ) -> None:
        self.source, self.unit, self.known, self.kept = str(source), unit, known, kept
        self.samples = [label for place, label in enumerate(samples) if kept is None or kept[place]]
        self.linear = unit in LINEAR
        self.whole = unit == "counts" and not estimated
        self.housekeeping: dict[str, np.ndarray | None] = dict.fromkeys(housekeeping)
        count = len(self.samples)
        self.labels: list[str] = []
        self.matches: list[Match | None] = []
        self.genes: dict[str, np.ndarray] = {}
        self.total, self.detected = np.zeros(count), np.zeros(count, dtype=np.int64)
        self.top, self.top_label = np.full(count, -np.inf), np.full(count, "", dtype=object)
        self.fractional = False
        self.further: pd.DataFrame | None = None  # columns on the samples that only their format has
        self.rows: list[np.ndarray] | None = [] if whole else None
        # Sums over genes for the correlation with the mean of the others: y, y², y·t; n, t, t² (t: sum over
        # samples).
        self.moments, self.row_moments = np.zeros((3, count)), np.zeros(3)

    def add(self, block: Block, entrez: bool = False) -> None:
        """Add some rows."""
        if self.kept is not None:
            block = Block(block.labels, block.values[:, self.kept])
        keep = [SUMMARY.fullmatch(label) is None for label in block.labels]
        labels = [label for label, stays in zip(block.labels, keep, strict=True) if stays]
        values = block.values if all(keep) else block.values[np.array(keep)]
        if not labels:
            return
        self._check(labels, values)
        values = -values if self.unit == "ct" else values
        matches = identify(labels, self.known, entrez)
        for row, match in enumerate(matches):
            if match is not None:
                self._add_gene(match.gene, values[row])
            if labels[row] in self.housekeeping:
                self.housekeeping[labels[row]] = values[row].copy()
        self.labels += labels
        self.matches += matches
        if self.rows is not None:
            self.rows.append(values)
        if self.linear:
            self._add_totals(labels, values)
        self._add_profile(values)

    def _add_gene(self, gene: str, values: np.ndarray) -> None:
        """Counts and TPM of several rows are summed; of log2 rows the highest is taken."""
        if gene in self.genes and self.linear:
            self.genes[gene] += values
        elif gene not in self.genes or _mean(values) > _mean(self.genes[gene]):
            self.genes[gene] = values.copy()

    def _add_totals(self, labels: list[str], values: np.ndarray) -> None:
        self.total += values.sum(axis=0)
        self.detected += (values > 0).sum(axis=0)
        row = values.argmax(axis=0)
        value = values[row, np.arange(values.shape[1])]
        higher = value > self.top
        self.top[higher] = value[higher]
        self.top_label[higher] = np.array(labels, dtype=object)[row[higher]]

    def _add_profile(self, values: np.ndarray) -> None:
        if not self.linear:
            profile = values[~np.isnan(values).any(axis=1)]
        else:
            profile = np.log2(values[values.mean(axis=1) >= PROFILE_MINIMUM] + 1)
        sums = profile.sum(axis=1)
        # einsum, not matmul: its order of summation does not hang on the number of BLAS threads.
        products = np.einsum("gs,gs->s", profile, profile), np.einsum("g,gs->s", sums, profile)
        self.moments += np.stack([profile.sum(axis=0), *products])
        self.row_moments += len(sums), sums.sum(), (sums**2).sum()

    def _check(self, labels: list[str], values: np.ndarray) -> None:
        """Refuse values that cannot be of the unit, naming the first."""
        found = offence(values, self.unit, self.whole)
        if found is not None:
            bad, why = found
            row, column = divmod(int(bad.argmax()), bad.shape[1])
            shown = "blank" if np.isnan(values[row, column]) else f"{values[row, column]:g}"
            raise InputError(
                f"{self.source}: gene '{labels[row]}', sample '{self.samples[column]}' is {shown}; {why}."
            )
        if self.unit == "tpm" and not self.fractional:
            self.fractional = bool(fractions(values).any())

    def finish(self, allow_mangled: bool = False) -> None:
        """Check what only the whole file shows."""
        mangled = [label for label in self.labels if MANGLED.fullmatch(label)]
        if mangled and not allow_mangled:
            raise InputError(
                f"{self.source}: the gene names {listing(sorted(set(mangled)), 5)} are dates, made by a"
                " spreadsheet from names like MARCH1; export the matrix again without a spreadsheet (or pass"
                " --allow-mangled: such rows only count in the library size)."
            )
        if not any(match is not None for match in self.matches):
            raise InputError(f"{self.source}: {_no_gene(self.labels)}")
        self._refuse_numbered_rows()
        if not self.linear:
            return
        empty = [sample for sample, total in zip(self.samples, self.total, strict=True) if total == 0]
        if empty:
            raise InputError(
                f"{self.source}: sample {listing(empty)} is zero for all genes; leave it out of the"
                " study's sample table and matrix."
            )
        if self.unit == "tpm" and not self.fractional and self.total.max() > 2e6:
            raise InputError(
                f"{self.source}: all values are whole numbers and samples sum to {self.total.max():.4g};"
                " declare the unit counts."
            )
        if self.unit == "tpm" and len(self.labels) > TRANSCRIPTOME and self.top.max() < LARGEST_LOG2:
            raise InputError(
                f"{self.source}: no value is above {self.top.max():.4g}; these look like log2 values: declare"
                " the unit log2."
            )

    def _refuse_numbered_rows(self) -> None:
        """Refuse numbers of rows or probes that would pass for Entrez ids."""
        numbers = [int(label) for label in self.labels if label.isdigit()]
        by_number = any(match and match.kind == "entrez" for match in self.matches)
        if not by_number or len(numbers) < MANY:
            return
        lowest, highest = min(numbers), max(numbers)
        if highest - lowest < DENSE * len(numbers):
            raise InputError(
                f"{self.source}: the genes' names are the numbers {lowest} to {highest}; these number rows or"
                " an array's probes and are no Entrez ids; give the matrix with gene identifiers."
            )

    def profile_correlation(self) -> np.ndarray:
        """Correlate each sample's log2 profile with the mean profile of the other samples."""
        count = len(self.samples)
        n, t, tt = self.row_moments
        if count < 2 or n < 3:
            return np.full(count, np.nan)
        y, yy, yt = self.moments
        var_y, var_t, cov = yy - y**2 / n, tt - t**2 / n, yt - y * t / n
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (cov - var_y) / np.sqrt(var_y * (var_t - 2 * cov + var_y))
        return np.clip(r, -1, 1)

    def housekeeping_level(self) -> np.ndarray:
        """Average the panel's own reference genes: geometric mean; on the log2 scale the mean."""
        absent = [label for label, values in self.housekeeping.items() if values is None]
        if absent:
            raise InputError(f"{self.source}: there is no row '{absent[0]}', named as housekeeping gene.")
        rows = [values for values in self.housekeeping.values() if values is not None]
        if not rows:
            return np.full(len(self.samples), np.nan)
        stacked = np.stack(rows)
        # A housekeeping probe without any count stands at one count.
        return np.asarray(
            np.exp(np.log(np.maximum(stacked, 1)).mean(axis=0)) if self.linear else stacked.mean(axis=0)
        )

    def table(self, sample_ids: Sequence[str], form: str) -> pd.DataFrame:
        """Return the levels: one row per sample, totals, then the genes found in the map's order."""
        import pandas as pd

        linear = self.linear
        blank = np.full(len(self.samples), np.nan)
        head = {
            "sample_id": list(sample_ids),
            "label": self.samples,
            "unit": self.unit,
            "format": form,
            "library_size": self.total if linear else blank,
            "detected_genes": pd.array(self.detected if linear else [pd.NA] * len(blank), dtype="Int64"),
            "top_gene": list(self.top_label) if linear else [None] * len(blank),
            "top_gene_share": self.top / self.total if linear else blank,
            "profile_correlation": self.profile_correlation(),
            "housekeeping": self.housekeeping_level(),
        }
        further = {} if self.further is None else {name: self.further[name] for name in self.further}
        found = {gene: self.genes[gene] for gene in self.known.genes if gene in self.genes}
        return pd.DataFrame(head | further | found)

    def whole_table(self, sample_ids: Sequence[str]) -> pd.DataFrame:
        """Return all rows as they are: label, then one column per sample."""
        import pandas as pd

        frame = pd.DataFrame(np.concatenate(self.rows or []), columns=list(sample_ids))
        frame.insert(0, "gene", self.labels)
        return frame


def _mean(values: np.ndarray) -> float:
    """Average without missing values; of none minus infinity."""
    given = values[~np.isnan(values)]
    return float(given.mean()) if given.size else -np.inf


def _no_gene(labels: list[str]) -> str:
    """Say why no row is a known human gene."""
    shown = f"'{labels[0]}'" if labels else "no row"
    if any(label.startswith("ENSMUS") for label in labels[:100]):
        return f"the row names ({shown}) are Ensembl ids of the mouse; human genes were expected."
    if any(re.fullmatch(r"\w+_at", label) for label in labels[:100]):
        return (
            f"the row names ({shown}) are Affymetrix probe sets, not genes; map them to gene symbols with"
            " the array's annotation first (one row per gene) and give that matrix."
        )
    if any(re.match(r"ENST\d|[NX][MR]_\d", label) for label in labels[:100]):
        return (
            f"the row names ({shown}) are transcripts, not genes; sum them to genes, or give"
            " --tx2gene with the quantifier's own files."
        )
    return (
        f"no row name (the first is {shown}) is a symbol, Ensembl or Entrez id of a gene that is needed;"
        " human gene identifiers were expected."
    )
