"""From blocks of rows to levels: needed genes summed up, and totals over the whole file for each sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pniflow.errors import InputError, listing, shown
from pniflow.expression.genes import GeneMap, Match, identify
from pniflow.expression.matrix import Block
from pniflow.expression.units import LINEAR, SUMMED, Evidence, floors, offence, refusal, remarks

if TYPE_CHECKING:
    import pandas as pd

# 1-Mar, Mar-01, 1-Sep-01: what a spreadsheet makes of MARCHF1, SEPTIN1, DELEC1 and their former names; in
# German 01. Mrz, Mrz 01.
_MONTH = "(jan|feb|mar|mrz|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
MANGLED = re.compile(
    rf"(?i)\d{{1,2}}[-./] ?{_MONTH}([-./ ]\d{{2,4}})?|(mar|mrz|mär|sep|dec|dez|oct|okt)[- ]\d{{1,2}}"
    r"|\d{4}-\d\d-\d\d( 00:00:00)?"
)
# Lines of htseq-count (of old versions without "__"), STAR and featureCounts that are no genes.
SUMMARY = re.compile(
    r"__\w+|no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique"
    r"|N_(unmapped|multimapping|noFeature|ambiguous)|(Una|A)ssigned(_\w+)?"
)
# Rows of people and laboratories that are no genes (ERCC1 and ERCC2 are).
TOTALS = re.compile(
    r"(?i)(grand |column )?(total|sum|gesamt|summe|mean|average)s?([ _.]?(reads|counts?))?"
    r"|(library|lib)[ _.]?size"
)
SPIKE_INS = re.compile(r"(?i)(\w*[_.-])?ERCC[-_.]?\d{5}|SIRV\w*\d+")
# TNF.1, TNF-2: what make.unique and the like make of a symbol's second row.
MADE_UNIQUE = re.compile(r"(.+)[._-]\d{1,2}")
PROFILE_MINIMUM = 1.0
# Entrez ids have gaps: of 20,000 genes the highest is above 100 million. Numbers of rows or probes have none.
DENSE, MANY = 5, 100


class Accumulator:
    """Adds up blocks of a matrix: what is needed per gene, and totals per sample.

    Parameters
    ----------
    source : str
        The file, for sentences.
    samples : sequence of str
        Labels of the columns.
    unit : str
        One of units.UNITS; cycles are held with their sign turned, so that higher is more expression.
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
        self.linear, self.estimated = unit in LINEAR, estimated
        self.housekeeping: dict[str, np.ndarray | None] = dict.fromkeys(housekeeping)
        count = len(self.samples)
        self.labels: list[str] = []
        self.matches: list[Match | None] = []
        self.genes: dict[str, np.ndarray] = {}
        self.evidence = Evidence(count)
        self.detected = np.zeros(count, dtype=np.int64)
        self.top, self.top_label = np.full(count, -np.inf), np.full(count, "", dtype=object)
        self.left: list[str] = []
        self.seen: dict[str, Match] = {}
        self.further: pd.DataFrame | None = None  # columns on the samples that only their format has
        self.rows: list[np.ndarray] | None = [] if whole else None
        # Sums over genes for the correlation with the mean of the others: y, y², y·t; n, t, t² (t: sum over
        # samples).
        self.moments, self.row_moments = np.zeros((3, count)), np.zeros(3)

    def add(self, block: Block, entrez: bool = False) -> None:
        """Add some rows."""
        if self.kept is not None:
            block = Block(block.labels, block.values[:, self.kept])
        (labels, values), left = genes_of(block)
        self.left += left
        if not labels:
            return
        self._check(labels, values)
        most = self.evidence.add(values)
        values = -values if self.unit == "ct" else values
        matches = self._identified(labels, entrez)
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
            self._add_totals(labels, values, most)
        self._add_profile(values)

    def _identified(self, labels: list[str], entrez: bool) -> list[Match | None]:
        """Recognise labels; one that was made unique, by the row above with its plain name."""
        matches = identify(labels, self.known, entrez)
        for row, match in enumerate(matches):
            if match is not None:
                self.seen[labels[row]] = match
            elif (again := MADE_UNIQUE.fullmatch(labels[row])) and again[1] in self.seen:
                matches[row] = self.seen[again[1]]
        return matches

    def _add_gene(self, gene: str, values: np.ndarray) -> None:
        """Counts and TPM of several rows are summed; of log2 rows and probes the highest is taken."""
        if gene in self.genes and self.unit in SUMMED:
            self.genes[gene] += values
        elif gene not in self.genes or _mean(values) > _mean(self.genes[gene]):
            self.genes[gene] = values.copy()

    def _add_totals(self, labels: list[str], values: np.ndarray, most: np.ndarray) -> None:
        self.detected += (values > 0).sum(axis=0)
        if (higher := most > self.top).any():
            self.top[higher] = most[higher]
            self.top_label[higher] = np.array(labels, dtype=object)[values[:, higher].argmax(axis=0)]

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
        found = offence(values, self.unit)
        if found is not None:
            bad, why = found
            row, column = divmod(int(bad.argmax()), bad.shape[1])
            what = "blank" if np.isnan(values[row, column]) else f"{values[row, column]:g}"
            raise InputError(
                f"{self.source}: gene '{labels[row]}', sample '{self.samples[column]}' is {what}; {why}."
            )

    def finish(self, allow_mangled: bool = False) -> list[str]:
        """Check what only the whole file shows; return what is to be said of it."""
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
        empty = [
            sample
            for sample, total in zip(self.samples, self.evidence.total, strict=True)
            if total == 0 and self.linear
        ]
        if empty:
            raise InputError(
                f"{self.source}: sample {listing(empty)} is zero for all genes; leave it out of the"
                " study's sample table and matrix."
            )
        self._refuse_sum()
        if why := refusal(self.evidence, self.unit, self.samples, self.estimated):
            raise InputError(f"{self.source}: {why}.")
        return [*self._left(), *remarks(self.evidence, self.unit, self.estimated), *self._floored()]

    def _left(self) -> list[str]:
        """Say which rows were left out as no genes."""
        spikes = sum(SPIKE_INS.fullmatch(label) is not None for label in self.left)
        totals = [label for label in self.left if TOTALS.fullmatch(label)]
        said = [*totals, *([f"spike-ins ({spikes})"] if spikes else [])]
        return [f"left out as no genes: {listing(said, 5)}"] if said else []

    def _floored(self) -> list[str]:
        """Say how many values of the genes that are needed are at a floor, which linear levels show later."""
        if self.linear:
            return []
        values = np.stack(list(self.genes.values()))
        with np.errstate(invalid="ignore"):
            share = float((values <= floors(values)).mean())
        return [f"{share:.0%} of the values are at one lowest value"] if share else []

    def _refuse_sum(self) -> None:
        """Refuse a row that is the sum of all others in each sample, whatever its name."""
        labels = set(self.top_label)
        alone = self.unit in SUMMED and len(self.labels) > MANY and len(labels) == 1
        if alone and np.allclose(2 * self.top, self.evidence.total, rtol=1e-6):
            raise InputError(
                f"{self.source}: the row {shown(labels.pop())} is the sum of all others in each sample and no"
                " gene; take it out."
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
            "library_size": self.evidence.total if linear else blank,
            "detected_genes": pd.array(self.detected if linear else [pd.NA] * len(blank), dtype="Int64"),
            "top_gene": list(self.top_label) if linear else [None] * len(blank),
            "top_gene_share": self.top / self.evidence.total if linear else blank,
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


def genes_of(block: Block) -> tuple[Block, list[str]]:
    """Return a block without the rows that are no genes, and the labels of these."""
    keep = [not any(kind.fullmatch(label) for kind in (SUMMARY, TOTALS, SPIKE_INS)) for label in block.labels]
    if all(keep):
        return block, []
    left = [label for label, stays in zip(block.labels, keep, strict=True) if not stays]
    labels = [label for label, stays in zip(block.labels, keep, strict=True) if stays]
    return Block(labels, block.values[np.array(keep)]), left


def _mean(values: np.ndarray) -> float:
    """Average without missing values; of none minus infinity."""
    given = values[~np.isnan(values)]
    return float(given.mean()) if given.size else -np.inf


def _no_gene(labels: list[str]) -> str:
    """Say why no row is a known human gene."""
    first = shown(labels[0]) if labels else "no row"
    if any(label.startswith("ENSMUS") for label in labels[:100]):
        return f"the row names ({first}) are Ensembl ids of the mouse; human genes were expected."
    probes = {r"\w+_at": "Affymetrix probe sets", r"ILMN_\d+": "Illumina's probes"}
    kinds = [kind for name, kind in probes.items() if any(re.fullmatch(name, one) for one in labels[:100])]
    if kinds:
        return (
            f"the row names ({first}) are {kinds[0]}, not genes; give"
            " a matrix with a column of gene symbols beside them (SYMBOL), from the array's annotation."
        )
    if any(re.match(r"ENST\d|[NX][MR]_\d", label) for label in labels[:100]):
        return (
            f"the row names ({first}) are transcripts, not genes; sum them to genes, or give"
            " --tx2gene with the quantifier's own files."
        )
    return (
        f"no row name (the first is {first}) is a symbol, Ensembl or Entrez id of a gene that is needed;"
        " human gene identifiers were expected."
    )
