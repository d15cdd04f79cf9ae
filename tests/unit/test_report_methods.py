"""Methods say what was fitted and cite works for it; the bibliography holds these works and no others."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
import typst

import made_results as made
from pniflow.errors import InputError
from pniflow.files import read_yaml
from pniflow.models.specification import read_models
from pniflow.report.bibliography import Bibliography
from pniflow.report.blocks import Link, Paragraph, plain
from pniflow.report.interpretation import Context
from pniflow.report.run_results import Results
from pniflow.report.sections.methods import methods
from pniflow.report.sections.statistics import models_by_family
from pniflow.resources import find, searched, shipped
from pniflow.text import labels
from pniflow.text.estimates import estimates_of

STUDY = {
    **made.STUDY,
    "instruments": {"pss10": {}, "gad7": {}},
    "assays": {
        "hair_cortisol": {
            "unit": "pg/mg",
            "log": "natural",
            "detection_limit": 0.5,
            "below_limit_as": "half_limit",
        }
    },
    "expression": {"unit": "counts"},
    "cat12": {"lesion_handling": "filled with LST"},
}


def written(study=STUDY, rows=None, tables=None, documents=None) -> tuple[dict[str, str], Bibliography]:
    """Headings with the paragraphs below them, and the bibliography."""
    rows = estimates_of(made.estimates()) if rows is None else rows
    results = Results(study, rows, Context({}, {}), tables=tables or {}, **(documents or {}))
    blocks = methods(results)
    texts, title = {}, ""
    for block in blocks:
        if block.kind == "heading":
            title = block.text
        elif isinstance(block, Paragraph):
            texts[title] = texts.get(title, "") + plain(block.text)
    return texts, results.bibliography


def test_what_was_fitted_is_said_and_cited():
    documents = {
        "normalization": {
            "method_asked": "reference_genes",
            "method": "reference_genes",
            "references_found": ["GPI", "VCP"],
            "references_missing": ["EMC7"],
            "scale": "grand_mean",
            "floor": 0.125,
            "floored_share": 0.0567,
        },
        "gene_set": "ctra53",
        "variant": "balanced",
    }
    genes = pd.DataFrame({"gene": ["IL6", "MX1"], "component": ["inflammatory", "interferon"]})
    versions = pd.DataFrame({"cat_version": ["12.9", "12.8.1 r2041", "12.9"]}).assign(
        longitudinal=[True, False, True],
        spm_version=["7219", "7771", None],
        voxel_size="1.5",
        wmh_handling=None,
    )
    rated = pd.DataFrame({"siqr_percent": [81.25, None, 88.0]})
    samples = pd.DataFrame({"format": ["star, reverse", None, "star, reverse"]})
    tables = {
        "ctra_genes": genes.assign(status="used"),
        "globals": versions,
        "sample_quality": samples,
        "quality": rated,
    }
    texts, bibliography = written(tables=tables, documents=documents)
    assert re.match(
        r"Scored from items: Perceived Stress Scale, 10 items \[1, 2, 3\] and Gen", texts["Questionnaires"]
    )
    assert "Hair cortisol in pg/mg, analysed as natural logarithm" in texts["Laboratory assays"]
    assert "(star, reverse) and were normalized by the mean of stable reference" in texts["Gene expression"]
    assert (
        "(2 genes, without EMC7), brought to the reference's mean over samples; values below 0.125 (5.7 % of"
        in (texts["Gene expression"])
    )
    assert "2 genes of the set ctra53 (1 inflammatory, 1 interferon)" in texts["Gene expression"]
    assert "inflammatory genes minus the mean z of all its other genes" in texts["Gene expression"]
    assert "CAT12 (12.8.1 r2041, 12.9)" in texts["MRI"]
    assert "Lesions were filled with LST before segmentation." in texts["MRI"]
    assert (
        "As the reports say: cross-sectional and longitudinal pipeline; SPM 7219 and 7771; normalized voxels"
        " of 1.5 mm; image quality (SIQR) 81.2 to 88.0 %." in texts["MRI"]
    )
    assert "Atlases: Destrieux (a2009s) [" in texts["MRI"]
    assert "fitted by REML, Kenward-Roger" in texts["Statistics"]
    for key in ("kenward_roger", "reml", "ctra53", "reference_genes", "cat12", "aparc_a2009s"):
        assert key in bibliography.cited


def test_freesurfer_and_the_protocol_of_the_images_are_said_where_they_were_read():
    regions = pd.DataFrame({"atlas": ["freesurfer_aseg_long", "freesurfer_aparc"], "cat_version": "7.4.1"})
    sizes = {f"voxel_{axis}": [1.0, 1.0, 0.9] for axis in "xyz"}
    protocol = pd.DataFrame(
        {"suffix": "T1w", **sizes, "field_strength": 3.0, "manufacturer": ["Siemens", "Siemens", None]}
    ).assign(
        scanner_model=None, repetition_time=2.3, echo_time=None, inversion_time=None, flip_angle=9.0,
        within_person=[None, None, "voxel_x 0.9, not 1"], in_study=None,
    )  # fmt: skip
    texts, bibliography = written(tables={"freesurfer": regions, "protocol": protocol})
    assert "Tables of FreeSurfer were read beside (7.4.1)" in texts["MRI"]
    assert ": freesurfer_aparc, freesurfer_aseg_long; " in texts["MRI"]
    assert (
        "T1w images (3), as most were measured: voxels of 1 by 1 by 1 mm, field strength 3 T,"
        " manufacturer Siemens, repetition time 2.3 s, flip angle 9 °; in 1 something differs."
    ) in texts["MRI"]
    assert "freesurfer" in bibliography.cited
    assert "FreeSurfer" not in written()[0]["MRI"]


def test_a_parcellation_of_any_size_is_cited():
    rows = estimates_of(made.estimates())
    row = next(row for row in rows if row.outcome.startswith("aparc_a2009s."))
    outcome = "Schaefer2018_200Parcels_17Networks_order.limbic.left.thickness"
    assert "Schaefer2018" in written(rows=[replace(row, outcome=outcome)])[1].cited


ATLASES = sorted(
    path.stem for path in shipped("resources").glob("atlases/*.tsv")
    if path.stem not in ("groups", "metrics", "ranges", "test_retest")
)  # fmt: skip


@pytest.mark.parametrize("atlas", ATLASES)
def test_every_atlas_is_named_in_words_and_cited(atlas):
    row = next(row for row in estimates_of(made.estimates()) if row.outcome.startswith("aparc_a2009s."))
    texts, bibliography = written(rows=[replace(row, outcome=f"{atlas}.insula.left.thickness")])
    label = labels.known("atlases")[atlas]["label"]
    assert re.search(rf"Atlas: {re.escape(label)} \[\d+(, \d+)?\]\.$", texts["MRI"])
    assert {atlas, atlas.split("_")[0]} & set(bibliography.cited)


@pytest.mark.parametrize(
    ("handling", "said"),
    [
        ("none", "Lesions were not treated before segmentation."),
        ("filled with LST", "Lesions were filled with LST before segmentation."),
        ("CAT12 SLC", "Lesions were handled by CAT12's own correction (SLC)."),
        ("not recorded", "How lesions were handled before segmentation is not recorded."),
    ],
)
def test_the_handling_of_lesions_is_a_sentence(handling, said):
    assert said in written(STUDY | {"cat12": {"lesion_handling": handling}})[0]["MRI"]


@pytest.mark.parametrize("method", ["reference_genes", "tmm", "quantile"])
def test_each_way_of_normalizing_is_cited(method):
    report = {"method": method, "method_asked": method, "references_found": [], "references_missing": []}
    texts, bibliography = written(documents={"normalization": {**report, "scale": None}})
    assert re.search(r"were normalized .* \[\d+\]", texts["Gene expression"])
    assert method in bibliography.cited


def test_an_institution_is_one_name_in_bibtex():
    bibliography = Bibliography()
    bibliography.cite("ibsr")
    assert "author = {{Center for Morphometric Analysis}}" in bibliography.bibtex()
    assert "Center for Morphometric Analysis (2004)" in plain(bibliography.listing().items[0][1])


def test_a_limit_over_the_root_of_two_is_cited():
    assay = STUDY["assays"]["hair_cortisol"] | {"below_limit_as": "limit_over_sqrt2"}
    texts, bibliography = written(STUDY | {"assays": {"hair_cortisol": assay}})
    assert "taken as the limit over √2 [" in texts["Laboratory assays"]
    assert "limit_sqrt2" in bibliography.cited


def test_too_few_reference_genes_are_said():
    report = {
        "method_asked": "reference_genes",
        "method": "cpm",
        "references_found": ["GPI"],
        "references_missing": ["EMC7", "VCP"],
        "scale": None,
    }
    text = written(documents={"normalization": report})[0]["Gene expression"]
    assert "to counts per million, as only 1 of 3 reference genes were found." in text


def test_what_was_not_done_is_neither_said_nor_cited():
    study = {**made.STUDY, "instruments": {}, "assays": {}}
    rows = [row for row in estimates_of(made.estimates()) if row.model == "change_pro"]
    texts, bibliography = written(study, rows)
    assert list(texts) == ["Design", "Statistics", "Multiple tests", "Missing data"]
    assert set(bibliography.cited) == {"reml", "kenward_roger", "hedges_g_av", "missing_at_random"}
    fitted = [replace(row, method="REML, Satterthwaite") for row in rows]
    assert "satterthwaite" in written(study, fitted)[1].cited
    assert "kenward_roger" not in written(study, fitted)[1].cited


def test_adjustments_are_those_of_the_families():
    families = pd.DataFrame(
        {"family": ["a", "b", "c"], "value": [6, 2, 3],
         "adjust": ["bh", "holm", "none"]}
    ).assign(table="families", quantity="m_planned")  # fmt: skip
    text = written(tables={"diagnostics": families.assign(model=None, outcome=None)})[0]["Multiple tests"]
    assert re.search(r"Benjamini-Hochberg .* for a \(6\); Holm .* for b \(2\); not .* for c \(3\)\.$", text)


def test_exclusions_are_counted_by_rule():
    table = pd.DataFrame({"rule": ["not answered", "average scan", "not answered"]})
    text = written(tables={"exclusions": table})[0]["Exclusions"]
    assert text.startswith("Left out, by rule: average scan (1); not answered (2).")


def test_each_family_has_its_models_in_words(root):
    plan = read_models(root / "config" / "models.yaml")
    rows = estimates_of(made.estimates())
    (table,) = models_by_family(rows, plan)
    lines = {plain(row.head): [plain(cell) for cell in row.cells] for row in table.rows}
    assert lines["ctra_on_{predictor}"] == [
        "ctra_within (secondary); ctra_between (secondary)",
        "CTRA",
        "intercept, session, {predictor} split into within and between persons, age, bmi, b_cell_depletion;"
        " random: intercept per participant",
    ]
    assert lines["change_pro"][0] == "pro_change (primary)"


def test_a_citation_leads_to_its_work_and_a_work_has_one_number():
    bibliography = Bibliography()
    first, again = bibliography.cite("bh", "holm"), bibliography.cite("bh")
    assert plain(first) == " [1, 2]"
    assert plain(again) == " [1]"
    assert [part.target for part in first if isinstance(part, Link)] == ["#ref-1", "#ref-2"]
    listing = bibliography.listing()
    assert listing.anchors == ["ref-1", "ref-2"]
    assert plain(listing.items[1][1]) == (
        "2. Holm S (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of"
        " Statistics 6:65–70."
    )
    assert bibliography.cite("nothing") == []


def test_an_instrument_is_cited_by_the_sources_of_its_key():
    bibliography = Bibliography()
    assert plain(bibliography.cite_instrument("pss14")) == " [1]"
    assert plain(bibliography.cite_instrument("pss10")) == " [1, 2, 3]"
    assert [plain(text) for _, text in bibliography.listing().items] == [
        "1. Cohen S, Kamarck T, Mermelstein R (1983). A global measure of perceived stress. Journal of Health"
        " and Social Behavior 24:385–396. doi:10.2307/2136404",
        "2. Cohen S, Williamson GM (1988). Perceived stress in a probability sample of the United States. In:"
        " Spacapan S, Oskamp S (editors). The social psychology of health. Newbury Park: Sage, pages 31–67.",
        "3. Wu SM, Amtmann D (2013). Psychometric evaluation of the Perceived Stress Scale in multiple"
        " sclerosis. ISRN Rehabilitation 2013:608356. doi:10.1155/2013/608356",
    ]
    (compared,) = bibliography.keys()
    assert "Perceived Stress Scale, 10 items: Cohen, scoring page of the" in plain(compared.text)


def own_instrument(folder, source: str):
    key = find("instruments", "pss4").read_text(encoding="utf-8").replace("name: pss4", "name: ours")
    (folder / "instruments").mkdir()
    text = f"{key[: key.index('sources:')]}sources: [{source}]\nlicence: ours\n"
    (folder / "instruments" / "ours.yaml").write_text(text.replace("  pss4:", "  ours:"), encoding="utf-8")
    return searched(folder)


def test_an_own_instrument_is_cited_by_its_words(tmp_path):
    bibliography = Bibliography()
    with own_instrument(tmp_path, "{for: key, cite: 'Us 2020, doi 10.1000/ours'}"):
        assert plain(bibliography.cite_instrument("ours")) == " [1]"
    assert bibliography.cited == {"ours_1": {"title": "Us 2020", "doi": "10.1000/ours"}}
    assert bibliography.keys() == []


def test_a_publication_that_is_not_in_the_list_is_refused(tmp_path):
    with (
        own_instrument(tmp_path, "{for: key, work: cohen1938}"),
        pytest.raises(InputError, match=r"ours\.yaml: sources: work is 'cohen1938', .* \(is it 'cohen19"),
    ):
        Bibliography().cite_instrument("ours")


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in find("instruments", "pss10").parent.glob("*.yaml"))
)
def test_every_instrument_names_a_publication_that_is_in_the_list(name):
    sources = read_yaml(find("instruments", name))["sources"]
    works = [source["work"] for source in sources if "work" in source]
    assert works
    assert set(works) <= set(read_yaml(find("references", "references")))


def test_p_over_whole_maps_is_cited_by_what_was_done():
    peaks = pd.DataFrame({"p_fwe": [0.01, 0.2], "p_tfce": [None, None]})
    texts, bibliography = written(tables={"peaks": peaks})
    assert re.search(r"permutation of persons \[\d+\]: of the largest statistic \[\d+\]\.$", texts["Maps"])
    assert "map_maxt" in bibliography.cited
    texts, bibliography = written(tables={"voxel_peaks": peaks.assign(p_tfce=0.03)})
    assert re.search(r"\] and after threshold-free cluster enhancement \[\d+\]\.$", texts["Maps"])
    assert "tfce" in bibliography.cited
    assert "Maps" not in written()[0]


def entries(text: str) -> dict[str, str]:
    return dict(re.findall(r"^@\w+\{(\w+),\n(.*?)\n\}$", text, re.M | re.S))


def test_the_bibliography_is_bibtex_and_has_what_was_cited():
    bibliography = Bibliography()
    bibliography.cite("matplotlib", "sign_flip_maxt", "bh")
    bibliography.cite_instrument("pss10")
    found = entries(bibliography.bibtex())
    assert set(found) == {"matplotlib", "sign_flip_maxt", "bh", "cohen1983", "cohen1988", "wu2013"}
    assert "@book{sign_flip_maxt," in bibliography.bibtex()
    assert "@incollection{cohen1988," in bibliography.bibtex()
    assert "doi = {10.1155/2013/608356}" in found["wu2013"]
    for entry in found.values():
        assert entry.count("{") == entry.count("}")


def test_another_reader_of_bibtex_takes_every_work(tmp_path):
    bibliography = Bibliography()
    bibliography.cite(*bibliography.known)
    (tmp_path / "all.bib").write_text(bibliography.bibtex(), encoding="utf-8")
    (tmp_path / "all.typ").write_text('#bibliography("all.bib", full: true, style: "apa")')
    assert typst.compile(str(tmp_path / "all.typ")).startswith(b"%PDF")
    assert set(entries(bibliography.bibtex())) == set(bibliography.known)
    shown = plain(bibliography.listing().items[list(bibliography.known).index("lst_ai")][1])
    assert "Wiltgen T, McGinnis J, Schlaeger S, et al. (2024). LST-AI: a deep" in shown


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("CAT: a toolbox for MRI data", "{CAT}: a toolbox for {MRI} data"),
        ("A Dutch R&D of SciPy_1.0", r"A {Dutch} {R}\&{D} of {SciPy}\_1.0"),
        ("The Warwick-Edinburgh scale: a user's manual", "The {Warwick-Edinburgh} scale: a user's manual"),
    ],
)
def test_names_in_titles_keep_their_capitals_in_bibtex(title, kept):
    bibliography = Bibliography()
    bibliography.cited["one"] = {"title": title}
    assert f"  title = {{{kept}}}\n" in bibliography.bibtex()


@pytest.mark.parametrize("key", sorted(read_yaml(find("references", "references"))))
def test_every_work_says_who_what_where_and_when(key):
    work = read_yaml(find("references", "references"))[key]
    assert {"author", "title", "year"} <= set(work)
    assert "publisher" in work or {"journal", "volume", "pages"} <= set(work)
    assert "booktitle" not in work or {"editor", "pages"} <= set(work)
    assert work.get("evidence") in (None, "unverified")
    assert "evidence" not in work or "doi" not in work
    assert re.fullmatch(r"(18|19|20)\d\d", work["year"])
    assert re.fullmatch(r"10\.\d{4,5}/\S+", work.get("doi", "10.1000/none"))
