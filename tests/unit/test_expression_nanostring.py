"""nanoString's lanes: whose counts they are, and how good the lane was."""

from __future__ import annotations

import numpy as np
import pytest

from expression_files import write_samples
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.expression.assess_samples import assess_samples
from pniflow.expression.ingest_expression import ingest_expression, read_levels
from pniflow.expression.normalize_expression import normalize_expression

POSITIVE = {"A(128)": 12800, "B(32)": 3200, "C(8)": 800, "D(2)": 200, "E(0.5)": 50, "F(0.125)": 30}
NEGATIVE = [4, 6, 5, 7, 3, 5]
GENES = {"IL6": 100, "IL8": 50}


def rcc(genes=GENES, positive=POSITIVE, negative=NEGATIVE, lane="", well="", comment=""):
    lane = f"FovCount,280\nFovCounted,270\nScannerID,1504C0267\nBindingDensity,0.66\n{lane}"
    rows = [f"Endogenous{well},{gene},NM_1,{count}" for gene, count in genes.items()]
    rows += [f"Housekeeping{well},GAPDH,NM_2,400", f"Housekeeping{well},TBP,NM_3,100"]
    rows += [f"Positive,POS_{name},E1,{count}" for name, count in positive.items()]
    rows += [f"Negative,NEG_{number},E2,{count}" for number, count in enumerate(negative)]
    return (
        f"<Header>\nFileVersion,1.7\n</Header>\n<Sample_Attributes>\nID,1\nComments,{comment}\n"
        f"</Sample_Attributes>\n<Lane_Attributes>\nID,1\n{lane}</Lane_Attributes>\n<Code_Summary>\n"
        "CodeClass,Name,Accession,Count\n" + "\n".join(rows) + "\n</Code_Summary>\n"
    )


def levels(folder, **texts):
    for name, text in texts.items():
        (folder / "rcc").mkdir(exist_ok=True)
        (folder / f"rcc/{name}.RCC").write_bytes(text if isinstance(text, bytes) else text.encode())
    ingest_expression(quantifications=[folder / "rcc"], unit="counts", out=folder / "levels.parquet")
    return read_levels(folder / "levels.parquet").set_index("sample_id")


def exported(folder, text):
    (folder / "export.csv").write_text(text)
    ingest_expression(matrix=folder / "export.csv", unit="counts", out=folder / "levels.parquet")
    return read_levels(folder / "levels.parquet").set_index("sample_id")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_a_lane_is_read_in_any_encoding(tmp_path, encoding):
    found = levels(tmp_path, A1=rcc(comment="5 µl gelöst").replace("\n", "\r\n").encode(encoding))
    assert found.loc["A1", ["IL6", "CXCL8", "library_size"]].tolist() == [100, 50, 650]


def test_the_quality_of_a_lane_is_that_of_its_controls(tmp_path):
    doubled = {name: 2 * count for name, count in POSITIVE.items()}
    found = levels(tmp_path, A1=rcc(), A2=rcc(positive=doubled))
    lane = found.loc["A1"]
    assert lane["instrument"] == "nCounter MAX or FLEX"
    assert [lane["fov_share"], lane["binding_density"]] == [270 / 280, 0.66]
    x, y = np.log2([128, 32, 8, 2, 0.5]), np.log2(np.array([12800, 3200, 800, 200, 50]) + 1)
    assert lane["positive_linearity"] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, rel=1e-12)
    assert lane["detection_margin"] == pytest.approx(50 - 5 - 2 * np.std(NEGATIVE, ddof=1), rel=1e-12)
    # The lanes' geometric means of POS_A to POS_E are 800 and 1600, their mean is 1200.
    np.testing.assert_allclose(found["positive_factor"], [1.5, 0.75], rtol=1e-12)


BAD = {
    "fewer than 75 % of the fields of view counted": {"lane": "FovCounted,200\n"},
    "binding density outside 0.05 to 2.25": {"lane": "BindingDensity,2.3\n"},
    "binding density outside 0.1 to 1.8": {"lane": "ScannerID,1504P0267\nBindingDensity,1.9\n"},
    "positive controls not linear": {"positive": POSITIVE | {"A(128)": 50, "E(0.5)": 12800}},
    "positive controls far from the other lanes'": {"positive": {n: c * 9 for n, c in POSITIVE.items()}},
    "POS_E below the limit of detection": {"negative": [40, 60, 50, 70, 30, 50]},
}


def test_a_lane_outside_the_bounds_of_its_instrument_is_flagged(tmp_path):
    texts = {"good1": rcc(), "good2": rcc()} | {f"bad{n}": rcc(**what) for n, what in enumerate(BAD.values())}
    names = list(levels(tmp_path, **texts).index)
    sheet = write_samples(tmp_path / "samples.tsv", names)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("levels", "expression")}
    normalize_expression(levels=paths["levels"], out=paths["expression"])
    assess_samples(**paths, samples=sheet, out=tmp_path / "quality.tsv")
    quality = read_table(tmp_path / "quality.tsv", "sample_quality").set_index("sample_id")
    for number, flag in enumerate(BAD):
        assert flag in quality.loc[f"bad{number}", "flags"]
        others = quality["flags"].drop(f"bad{number}").fillna("")
        assert not others.str.contains(flag, regex=False).any()
    assert quality.loc["good1", "fov_share"] == 270 / 280


def test_normalized_by_positive_controls_a_lane_that_counted_double_is_like_the_others(tmp_path):
    doubled = rcc({gene: 2 * n for gene, n in GENES.items()}, {name: 2 * n for name, n in POSITIVE.items()})
    levels(tmp_path, A1=rcc(), A2=doubled)
    normalize_expression(
        levels=tmp_path / "levels.parquet", out=tmp_path / "n.tsv", method="positive_controls"
    )
    found = read_table(tmp_path / "n.tsv").set_index("gene")
    np.testing.assert_allclose(found.loc["IL6"].astype(float), np.log2(150), rtol=1e-12)


def test_without_positive_controls_there_is_no_such_normalization(tmp_path):
    levels(tmp_path, A1=rcc(), A2=rcc(positive={}))
    with pytest.raises(InputError, match="sample A2 has no positive controls"):
        normalize_expression(
            levels=tmp_path / "levels.parquet", out=tmp_path / "n.tsv", method="positive_controls"
        )


def plexset(scale=1):
    parts = [
        rcc({gene: scale * n * place for gene, n in GENES.items()}, {}, [], "", f"{place}s")
        for place in range(1, 9)
    ]
    probes = [line for part in parts for line in part.splitlines() if line.endswith(tuple("0123456789"))]
    probes = [line for line in probes if line.startswith(("Endogenous", "Housekeeping"))]
    return rcc().split("Endogenous")[0] + "\n".join(probes) + "\n</Code_Summary>\n"


def test_the_eight_wells_of_a_plexset_lane_are_eight_samples(tmp_path):
    found = levels(tmp_path, L1=plexset(), L2=plexset(10))
    assert list(found.index) == [f"L{lane}_S{well}" for lane in (1, 2) for well in range(1, 9)]
    assert found["IL6"].tolist() == [100 * well * scale for scale in (1, 10) for well in range(1, 9)]
    assert set(found["format"]) == {"rcc, eight samples a lane"}
    np.testing.assert_allclose(found["housekeeping"], 200, rtol=1e-12)
    assert found["fov_share"].tolist() == [270 / 280] * 16


def test_probes_of_a_plexset_beside_others_are_refused(tmp_path):
    with pytest.raises(InputError, match="some probes are of a PlexSet's wells"):
        levels(tmp_path, L1=plexset().replace("Endogenous1s", "Endogenous"))


def test_a_probe_twice_in_a_lane_is_refused(tmp_path):
    with pytest.raises(InputError, match="the probe IL6 stands more than once"):
        levels(tmp_path, A1=rcc().replace("IL8", "IL6"))


def test_the_collector_tool_exports_lanes_with_their_attributes(tmp_path):
    text = (
        "File Name,,,A1.RCC,A2.RCC\nGene RLF,,,x,x\nFOV Count,,,280,280\nFOV Counted,,,280,140\n"
        "Binding Density,,,0.5,\nCodeClass,Name,Accession,,\nEndogenous,IL6,NM_1,7,8\n"
        "Positive,POS_A,E1,128,256\nPositive,POS_C,E1,8,16\nPositive,POS_E,E1,1,1\n"
    )
    found = exported(tmp_path, text)
    assert found["IL6"].tolist() == [7, 8]
    assert found["fov_share"].tolist() == [1, 0.5]
    assert found["binding_density"].fillna(-1).tolist() == [0.5, -1]
    assert (found["positive_linearity"] > 0.95).all()


@pytest.mark.parametrize(("cells", "said"), [(("7", "80"), ""), (("7.25", "80.5"), ", normalized")])
def test_nsolver_exports_raw_or_normalized(tmp_path, cells, said):
    """The share of samples above the threshold is no sample, and controls are no genes."""
    text = (
        '"Probe Name","Accession #","Class Name","Analyte Type","% Samples above Threshold",A1.RCC,A2.RCC\n'
        f'"IL6","NM_1","Endogenous","mRNA","50","{cells[0]}","{cells[1]}"\n'
        '"GAPDH","NM_2","Housekeeping","mRNA","100","400","100"\n'
        '"POS_A(128)","E1","Positive","mRNA","100","9","9"\n'
    )
    found = exported(tmp_path, text)
    assert list(found.index) == ["A1", "A2"]
    assert found["IL6"].tolist() == [float(cell) for cell in cells]
    assert found["housekeeping"].tolist() == pytest.approx([400, 100])
    assert set(found["format"]) == {f"rcc_export{said}"}
