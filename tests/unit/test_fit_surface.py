"""Models at every vertex: numbers of one vertex at a time, honest family-wise p, files that others open."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import tfce
import yaml
from scipy import stats
from scipy.sparse import csr_matrix

import map_studies as made
from called import call
from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError
from pniflow.maps.familywise import Space, enhancer, familywise
from pniflow.maps.fit_surface import fit_surface
from pniflow.mixed import person_permutations, sign_flips
from pniflow.models.fit_lmm import fit_lmm
from pniflow.models.fit_models import fit_models
from pniflow.models.sensitivity.resampling import SEED


def maps_of(files: dict[str, Path], model: str, term: str) -> dict[str, np.ndarray]:
    """Read a test's maps with nibabel, both hemispheres."""
    result = {}
    for path in files["maps"].glob(f"lh.*.{model}.{term}.func.gii"):
        other = path.with_name(path.name.replace("lh.", "rh.", 1))
        both = [nibabel.load(one).darrays[0].data for one in (path, other)]
        result[path.name.split(".")[1]] = np.concatenate(both)
    return result


def neighbours(triangles: np.ndarray = made.MESH) -> csr_matrix:
    """Return the mesh's edges by the tfce package's own function, which counts vertices from 1."""
    size = int(triangles.max()) + 1
    indptr, indices = tfce.adjacency_from_faces(triangles + 1, size)
    return csr_matrix((np.ones(len(indices), dtype=np.int8), indices, indptr), shape=(size, size))


def test_a_vertex_is_fitted_as_a_measure_is(tmp_path: Path) -> None:
    """Estimate, SE, df, t, p of single vertices equal those of fit_models and fit_lmm; two visits lack."""
    files = made.surfaces(
        tmp_path, 14, [made.change(), made.on_ctra()], absent=((3, "ses-post"), (5, "ses-pre"))
    )
    fit_surface(**files, permutations=19)
    peaks = read_table(files["peaks"], "peaks")
    index, values = pd.read_csv(files["index"], sep="\t"), np.load(files["surfaces"])
    measures = read_table(files["measures"], "measures")
    place = peaks["vertex"] + made.SIDE * (peaks["hemisphere"] == "right")
    for vertex in sorted(set(place)):
        own = index[["participant_id", "session_id"]].assign(
            measure=f"v{vertex}", value=values[:, vertex].astype(float), unit="mm", domain="imaging"
        )
        measures = pd.concat([measures, own])
    write_table(measures, tmp_path / "with.parquet", "measures")
    outcomes = [f"v{vertex}" for vertex in sorted(set(place))]
    plain = [{**{k: v for k, v in model.items() if k != "surface"}, "outcomes": outcomes}
             for model in (made.change(), made.on_ctra())]  # fmt: skip
    document = files["models"].read_text().replace("max_t", "none")
    (tmp_path / "plain.yaml").write_text(document.split("models:")[0] + f"models: {json.dumps(plain)}\n")
    call(
        fit_models,
        measures=tmp_path / "with.parquet",
        participants=files["participants"],
        models=tmp_path / "plain.yaml",
        estimates=tmp_path / "estimates.tsv",
    )
    estimates = read_table(tmp_path / "estimates.tsv", "estimates").set_index(["model", "outcome", "term"])
    columns = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
    assert len(peaks) >= 6
    for row, vertex in zip(peaks.to_dict("records"), place, strict=True):
        single = estimates.loc[(row["model"], f"v{vertex}", row["term"])]
        np.testing.assert_allclose([row[c] for c in columns], single[columns].astype(float), rtol=1e-10)
        assert (row["n_participants"], row["n_observations"]) == (14, 26)
    one = peaks[peaks["term"] == "session"].iloc[0]
    vertex = int(one["vertex"]) + made.SIDE * (one["hemisphere"] == "right")
    later = (index["session_id"] == "ses-post").astype(float)
    frame = pd.DataFrame(
        {"y": values[:, vertex].astype(float), "later": later, "who": index["participant_id"]}
    )
    frame.to_csv(tmp_path / "one.csv", index=False)
    fit_lmm(
        data=tmp_path / "one.csv", response="y", fixed=["later"], group=["who"], out=tmp_path / "one.json"
    )
    lmm = json.loads((tmp_path / "one.json").read_text())
    found = [lmm[name][1] for name in ("estimate", "se_kr", "df_kr", "p_kr")]
    np.testing.assert_allclose([one[c] for c in ("estimate", "std_error", "df", "p_value")], found, rtol=1e-8)


def test_family_wise_p_of_all_sign_flips(tmp_path: Path) -> None:
    """Six pairs have 32 flips up to sign: p of the largest |t|, and of the largest TFCE by its package."""
    effect = np.where(np.arange(2 * made.SIDE) < 8, 0.12, 0.0)
    files = made.surfaces(tmp_path, 6, effect=effect)
    fit_surface(**files, permutations=1000)
    values = np.load(files["surfaces"]).astype(float)
    change = values[1::2] - values[0::2]
    adjacency = neighbours()
    largest, enhanced, seen = [], [], {}
    for signs in itertools.product((1, -1), repeat=6):
        t = stats.ttest_1samp(np.array(signs)[:, None] * change, 0).statistic
        grown = np.abs(tfce.tfce(t, adjacency=adjacency, E=1.0, H=2.0))
        largest.append(np.abs(t).max())
        enhanced.append(grown.max())
        seen[signs] = (np.abs(t), grown)
    t, grown = seen[(1,) * 6]
    p_fwe = [(np.array(largest) >= one * (1 - 1e-9)).mean() for one in t]
    p_tfce = [(np.array(enhanced) >= one * (1 - 1e-5)).mean() for one in grown]
    found = maps_of(files, "change", "session")
    np.testing.assert_allclose(10 ** -np.abs(found["logp_fwe"]), p_fwe, rtol=1e-5)
    np.testing.assert_allclose(10 ** -np.abs(found["logp_tfce"]), p_tfce, rtol=1e-5)
    method = read_table(files["peaks"], "peaks")["method"].iloc[0]
    assert "sign-flip of 6 complete pairs, 32 all flips, over the whole map" in method


def test_family_wise_p_of_permuted_persons(tmp_path: Path) -> None:
    """Within: differences; between: means, age as nuisance; residuals permuted and refitted one by one."""
    files = made.surfaces(tmp_path, 10, [made.on_ctra()])
    fit_surface(**files, permutations=60)
    values = np.load(files["surfaces"]).astype(float)
    measures = read_table(files["measures"], "measures")
    wide = measures[measures["measure"] == "ctra"].pivot(
        index="participant_id", columns="session_id", values="value"
    )
    age = pd.read_csv(files["participants"], sep="\t")["age"].to_numpy()
    ctra = wide[["ses-pre", "ses-post"]].to_numpy()
    with_age = np.column_stack([np.ones(10), age])
    of = {
        "ctra_within": (values[1::2] - values[0::2], ctra[:, 1] - ctra[:, 0], np.ones((10, 1))),
        "ctra_between": ((values[1::2] + values[0::2]) / 2, ctra.mean(axis=1), with_age),
    }
    for term, (y, x, nuisance) in of.items():
        generator = np.random.default_rng(SEED)
        orders = [np.arange(10), *(generator.permutation(10) for _ in range(60))]
        residuals = y - nuisance @ np.linalg.lstsq(nuisance, y, rcond=None)[0]
        design = np.column_stack([x, nuisance])
        largest = []
        for order in orders:
            moved = residuals[np.argsort(order)]
            slopes, squares = np.linalg.lstsq(design, moved, rcond=None)[:2]
            error = np.sqrt(np.linalg.inv(design.T @ design)[0, 0] * squares / (10 - design.shape[1]))
            largest.append(np.abs(slopes[0] / error))
        expected = [(np.max(largest, axis=1) >= one * (1 - 1e-9)).mean() for one in largest[0]]
        found = maps_of(files, "on_ctra", term)
        np.testing.assert_allclose(10 ** -np.abs(found["logp_fwe"]), expected, rtol=1e-5)
    notes = read_table(files["peaks"], "peaks").set_index("term")["note"]
    assert all("permutation with covariates approximate" in note for note in notes["ctra_between"])
    assert not any("approximate" in note for note in notes["ctra_within"])


def test_enhancement_is_the_packages_also_beside_vertices_without_values() -> None:
    rng = np.random.default_rng(3)
    maps = made.smooth(rng.normal(size=(5, 2 * made.SIDE)), made.MESH).T
    usable = np.ones(2 * made.SIDE, dtype=bool)
    usable[[3, 4, 50]] = False
    edges = neighbours()
    for mask in (np.ones(2 * made.SIDE, dtype=bool), usable):
        kept = [[new[v] for v in one] for one in made.MESH if mask[one].all()
                for new in [np.cumsum(mask) - 1]]  # fmt: skip
        pairs = edges[mask][:, mask].tocsr()
        direct = tfce.tfce(maps[mask], adjacency=(pairs.indptr, pairs.indices), E=1.0, H=2.0)
        np.testing.assert_array_equal(enhancer(Space(edges, 1.0), mask)(maps[mask]), direct)
        if mask.all():
            whole = tfce.tfce(
                maps, adjacency=tfce.adjacency_from_faces(np.array(kept) + 1, 2 * made.SIDE), E=1, H=2
            )
            np.testing.assert_array_equal(direct, whole)


@pytest.mark.parametrize("kind", ["sign_flip", "between with a covariate"])
def test_null_maps_are_significant_in_one_of_twenty_data_sets(kind: str) -> None:
    """Share of 400 null data sets with any family-wise p up to .05: .05 within 2.6 Monte-Carlo errors."""
    rng = np.random.default_rng(11)
    space, usable = Space(neighbours(), 1.0), np.ones(2 * made.SIDE, dtype=bool)
    hits = np.zeros((400, 2))
    for draw, maps in enumerate(made.smooth(rng.normal(size=(400, 16, 2 * made.SIDE)), made.MESH, 2)):
        if kind == "sign_flip":
            shuffles = sign_flips(maps, flips=99, seed=draw, exact=False)
        else:
            age = rng.normal(size=16)
            x = 0.5 * age + rng.normal(size=16)
            nuisance = np.column_stack([np.ones(16), age])
            shuffles = person_permutations(x, nuisance, maps + 0.5 * age[:, None], permutations=99, seed=draw)
        _, p_fwe, p_tfce = familywise(shuffles, space, usable, 1)
        hits[draw] = (p_fwe.min() <= 0.05, p_tfce.min() <= 0.05)
    error = np.sqrt(0.05 * 0.95 / 400)
    assert np.abs(hits.mean(axis=0) - 0.05).max() <= 2.6 * error, hits.mean(axis=0)


def test_a_planted_cluster_is_found_and_nothing_else(tmp_path: Path) -> None:
    triangles = made.two_hemispheres(200)
    edges = neighbours(triangles)
    middle = 230  # of the right hemisphere
    planted = np.zeros(400, dtype=bool)
    planted[middle] = True
    for _ in range(3):
        planted |= edges @ planted.astype(int) > 0
    files = made.surfaces(tmp_path, 16, effect=-0.08 * planted, triangles=triangles, seed=4)
    fit_surface(**files, permutations=199)
    clusters = read_table(files["clusters"], "clusters")
    assert set(clusters["correction"]) == {"max_t", "tfce"}
    for _, own in clusters.groupby("correction"):
        assert own[["hemisphere", "direction"]].drop_duplicates().values.tolist() == [["right", "decrease"]]
    found = maps_of(files, "change", "session")
    outlined = np.abs(found["logp_tfce"]) > -np.log10(0.05)
    assert (outlined & planted).sum() >= 0.8 * planted.sum()
    assert clusters.loc[clusters["correction"] == "tfce", "size"].sum() == outlined.sum()
    assert found["logp_tfce"][outlined].max() < 0  # signed as the effect
    peaks = read_table(files["peaks"], "peaks")
    first = peaks.iloc[0]
    assert planted[200 + int(first["vertex"])]
    assert (first["hemisphere"], first["cluster_tfce"]) == ("right", 1)
    left = peaks[peaks["hemisphere"] == "left"]
    assert len(left) == 1
    assert left["note"].iloc[0] == (
        "not shown to differ at any vertex of the left hemisphere: family-wise p at least 0.05"
    )


def test_without_a_significant_vertex_the_largest_statistics_are_listed_all_the_same(tmp_path: Path) -> None:
    files = made.surfaces(tmp_path, 12)
    fit_surface(**files, permutations=99)
    assert len(read_table(files["clusters"], "clusters")) == 0
    peaks = read_table(files["peaks"], "peaks")
    assert sorted(peaks["hemisphere"]) == ["left", "right"]
    assert peaks["note"].str.startswith("not shown to differ at any vertex of the ").all()
    found = maps_of(files, "change", "session")
    assert peaks["statistic"].abs().iloc[0] == pytest.approx(np.abs(found["t"]).max(), rel=1e-6)
    assert (peaks[["p_fwe", "p_tfce"]].to_numpy() >= 1 / 100).all()  # never zero


def test_no_result_depends_on_blocks_threads_or_the_order_of_scans(tmp_path: Path) -> None:
    models = [made.change(), made.on_ctra()]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = made.surfaces(tmp_path / "a", 12, models)
    fit_surface(**first, permutations=99)
    second = made.surfaces(tmp_path / "b", 12, models)
    order = np.random.default_rng(0).permutation(24)
    np.save(second["surfaces"], np.load(second["surfaces"])[order])
    index = pd.read_csv(second["index"], sep="\t", dtype=str).iloc[order]
    index["start"] = [str(2 * made.SIDE * row) for row in range(24)]
    index.to_csv(second["index"], sep="\t", index=False)
    fit_surface(**second, permutations=99, threads=2, block=7)
    names = sorted(path.name for path in first["maps"].iterdir())
    assert len(names) == 3 * 5 * 2
    for name in names:
        assert (first["maps"] / name).read_bytes() == (second["maps"] / name).read_bytes(), name
    for table in ("peaks", "clusters"):
        assert first[table].read_bytes() == second[table].read_bytes()


def test_maps_are_files_that_others_open(tmp_path: Path) -> None:
    files = made.surfaces(tmp_path, 12, effect=np.where(np.arange(2 * made.SIDE) < 20, 0.2, 0.0))
    fit_surface(**files, permutations=99)
    intents = {"estimate": 1001, "t": 3, "logp": 24, "logp_fwe": 24, "logp_tfce": 24}
    values = np.load(files["surfaces"]).astype(float)
    change = values[1::2] - values[0::2]
    test = stats.ttest_1samp(change, 0)
    expected = {"estimate": change.mean(axis=0), "t": test.statistic,
                "logp": -np.log10(test.pvalue) * np.sign(test.statistic)}  # fmt: skip
    interior = np.zeros(2 * made.SIDE, dtype=bool)
    for half, structure, part in (
        ("lh", "CortexLeft", slice(0, made.SIDE)),
        ("rh", "CortexRight", slice(made.SIDE, None)),
    ):
        for name, intent in intents.items():
            image = nibabel.load(files["maps"] / f"{half}.{name}.resampled.change.session.func.gii")
            assert len(image.darrays) == 1
            array = image.darrays[0]
            assert (array.intent, array.data.dtype, array.data.shape) == (intent, np.float32, (made.SIDE,))
            assert image.meta["AnatomicalStructurePrimary"] == structure
            assert array.meta["Name"] == name
            if name in expected:
                close = np.isclose(array.data, expected[name][part], rtol=1e-5)
                interior[part] |= close
                assert close.mean() > 0.9  # complete pairs: the paired t, but where the fit is singular


def test_scans_that_the_cohort_leaves_out_are_left_out(tmp_path: Path, capsys: Any) -> None:
    files = made.surfaces(tmp_path, 12, excluded=("sub-04_ses-post",))
    fit_surface(**files, permutations=99)
    peaks = read_table(files["peaks"], "peaks")
    assert set(peaks["n_observations"]) == {23}
    assert peaks["method"].str.contains("sign-flip of 11 complete pairs").all()
    assert "23 scans of 12 participants, 84 vertices or voxels; smallest p_fwe" in capsys.readouterr().err


def test_vertices_without_values_are_not_tested(tmp_path: Path) -> None:
    files = made.surfaces(tmp_path, 12)
    values = np.load(files["surfaces"])
    values[:, 5] = np.nan
    values[:, 6] = 0.0
    values[3, 7] = np.nan
    np.save(files["surfaces"], values)
    fit_surface(**files, permutations=19)
    found = maps_of(files, "change", "session")
    for name in found:
        assert np.flatnonzero(np.isnan(found[name])).tolist() == [5, 6, 7], name
    assert set(read_table(files["peaks"], "peaks")["elements"]) == {2 * made.SIDE - 3}


def test_a_mesh_that_is_not_known_leaves_out_enhancement_and_clusters(tmp_path: Path) -> None:
    files = made.surfaces(tmp_path, 12, effect=np.full(2 * made.SIDE, 0.5))
    np.save(files["triangles"], np.empty((0, 3), dtype=np.int32))
    fit_surface(**files, permutations=99)
    peaks = read_table(files["peaks"], "peaks")
    assert peaks["p_tfce"].isna().all()
    assert (peaks["p_fwe"] == 0.01).all()
    assert set(maps_of(files, "change", "session")) == {"estimate", "t", "logp", "logp_fwe"}
    assert len(read_table(files["clusters"], "clusters")) == 0


def test_three_sessions_are_fitted_and_not_permuted(tmp_path: Path) -> None:
    time = made.on_ctra(test={"of_maps": ["ctra_within", "ctra_between"]})
    files = made.surfaces(tmp_path, 12, [time], sessions=("ses-pre", "ses-post", "ses-fu"))
    fit_surface(**files, permutations=99)
    peaks = read_table(files["peaks"], "peaks").set_index("term")
    assert peaks.loc["ctra_within", "p_fwe"].isna().all()
    assert peaks.loc["ctra_within", "note"].str.contains("not permuted: more than two sessions").all()
    assert peaks.loc["ctra_between", "p_fwe"].notna().all()


def test_a_group_by_session_term_is_the_difference_of_changes(tmp_path: Path) -> None:
    """With complete pairs: the two-sample t of the differences, permuted between persons."""
    model = made.change(
        fixed=["session", "arm", {"interaction": ["session", "arm"]}], test={"of_maps": ["session:arm"]}
    )
    files = made.surfaces(tmp_path, 12, [model])
    people = pd.read_csv(files["participants"], sep="\t")
    people["arm"] = ["course", "waiting"] * 6
    people.to_csv(files["participants"], sep="\t", index=False)
    fit_surface(**files, permutations=99)
    values = np.load(files["surfaces"]).astype(float)
    change = values[1::2] - values[0::2]
    expected = stats.ttest_ind(change[1::2], change[0::2]).statistic
    found = maps_of(files, "change", "session_arm")
    assert np.isclose(found["t"], expected, rtol=1e-5).mean() > 0.9  # but where the fit is singular
    peaks = read_table(files["peaks"], "peaks")
    for row in peaks.itertuples():
        vertex = row.vertex + made.SIDE * (row.hemisphere == "right")
        assert row.permuted_statistic == pytest.approx(expected[vertex], rel=1e-6)
    assert peaks["method"].str.contains("permutation of 12 participants' differences").all()


def test_a_study_with_one_session_permutes_persons(tmp_path: Path) -> None:
    model = made.change(fixed=["age"], random=[], test={"of_maps": ["age"]})
    files = made.surfaces(tmp_path, 14, [model], sessions=("ses-pre",))
    fit_surface(**files, permutations=99)
    age = pd.read_csv(files["participants"], sep="\t")["age"].to_numpy()
    values = np.load(files["surfaces"]).astype(float)
    lines = [stats.linregress(age, values[:, vertex]) for vertex in range(2 * made.SIDE)]
    found = maps_of(files, "change", "age")
    np.testing.assert_allclose(found["t"], [line.slope / line.stderr for line in lines], rtol=1e-5)
    np.testing.assert_allclose(np.abs(found["logp"]), [-np.log10(line.pvalue) for line in lines], rtol=1e-5)
    peaks = read_table(files["peaks"], "peaks")
    np.testing.assert_allclose(peaks["permuted_statistic"], peaks["statistic"], rtol=1e-9)
    assert peaks["p_tfce"].notna().all()


BAD_MODELS = {
    "both": (
        made.change(outcomes=["pss10"]),
        r"change' needs exactly one of these keys: outcomes or",
    ),
    "a word too many": (made.change(sensitivity=["cr2"]), "has `sensitivity`, which a model of a map cannot"),
    "nothing tested": (made.change(test={}), "name the terms under `test` that are to be mapped"),
    "a formula": (made.change(surface="thickness ~ age"), "surface' is 'thickness ~ age'; text of the form"),
}


@pytest.mark.parametrize("case", list(BAD_MODELS))
def test_a_bad_model_is_one_sentence(tmp_path: Path, case: str) -> None:
    model, says = BAD_MODELS[case]
    files = made.surfaces(tmp_path, 12, [model])
    with pytest.raises(InputError, match=says) as caught:
        fit_surface(**files)
    assert "\n" not in str(caught.value)


def test_bad_tables_are_one_sentence(tmp_path: Path) -> None:
    files = made.surfaces(tmp_path, 12)
    values = np.load(files["surfaces"])
    with pytest.raises(InputError, match=r"the table lists 24 scans, the array has 23 rows of 84 values"):
        np.save(files["surfaces"], values[1:])
        fit_surface(**files)
    with pytest.raises(
        InputError, match=r"has the shape 2016; one row per scan was expected \(resampled surfaces"
    ):
        np.save(files["surfaces"], values.ravel())
        fit_surface(**files)
    with pytest.raises(InputError, match=r"this is not a readable array"):
        files["surfaces"].write_text("no array")
        fit_surface(**files)
    np.save(files["surfaces"], np.ones_like(values))
    with pytest.raises(InputError, match=r"no vertex or voxel has values that differ in all of its 24 scans"):
        fit_surface(**files)
    np.save(files["surfaces"], values)
    np.save(files["triangles"], made.MESH + 1)
    with pytest.raises(InputError, match=r"the mesh has 85 vertices, the surfaces 84"):
        fit_surface(**files)


def test_a_term_with_several_coefficients_is_no_map(tmp_path: Path) -> None:
    by_site = made.change(fixed=["session", "site"], test={"of_maps": ["site"]})
    files = made.surfaces(tmp_path, 12, [by_site])
    people = pd.read_csv(files["participants"], sep="\t").assign(site=list("abc") * 4)
    people.to_csv(files["participants"], sep="\t", index=False)
    with pytest.raises(InputError, match=r"tests 'site', which has several coefficients; a map shows one"):
        fit_surface(**files)


@pytest.mark.parametrize("reference", ["ses-pre", "ses-fu"])
def test_each_of_three_sessions_has_family_wise_p_against_the_reference(
    reference: str, tmp_path: Path
) -> None:
    """Sign flips of the pairs of two sessions; a person without one of them is in the other's pairs."""
    sessions = ("ses-pre", "ses-post", "ses-fu")
    effect = np.where(np.arange(2 * made.SIDE) < 8, 0.25, 0.0)
    files = made.surfaces(tmp_path, 8, sessions=sessions, effect=effect, absent=((2, "ses-fu"),))
    document = yaml.safe_load(files["models"].read_text())
    document["defaults"]["session"]["reference"] = reference
    files["models"].write_text(yaml.safe_dump(document))
    fit_surface(**files, permutations=1000)
    peaks = read_table(files["peaks"], "peaks")
    index, values = pd.read_csv(files["index"], sep="\t"), np.load(files["surfaces"]).astype(float)
    of = {
        name: pd.DataFrame(values[index["session_id"] == name]).set_axis(
            index.loc[index["session_id"] == name, "participant_id"]
        )
        for name in sessions
    }
    others = [name for name in sessions if name != reference]
    assert set(peaks["term"]) == {f"session[{name}]" for name in others}
    assert set(peaks["family"]) == {"of_maps"}
    for name in others:
        change = (of[name] - of[reference]).dropna().to_numpy()
        t = stats.ttest_1samp(change, 0).statistic
        flips = itertools.product((1, -1), repeat=len(change))
        largest = [np.abs(stats.ttest_1samp(np.array(s)[:, None] * change, 0).statistic).max() for s in flips]
        expected = [(np.array(largest) >= abs(one) * (1 - 1e-9)).mean() for one in t]
        found = maps_of(files, "change", f"session_{name.replace('-', '_')}")
        np.testing.assert_allclose(10 ** -np.abs(found["logp_fwe"]), expected, rtol=1e-5)
        rows = peaks[peaks["term"] == f"session[{name}]"]
        assert rows["method"].str.contains(f"sign-flip of {len(change)} complete pairs").all()
        at = (rows["vertex"] + made.SIDE * (rows["hemisphere"] == "right")).to_numpy()
        np.testing.assert_allclose(rows["permuted_statistic"], t[at], rtol=1e-6)


def test_a_study_without_the_models_measure_says_so(tmp_path: Path, capsys: Any) -> None:
    unknown = made.on_ctra(fixed=["session", {"split": "log_hair_cortisol"}], test={
        "of_maps": ["log_hair_cortisol_within"]})  # fmt: skip
    files = made.surfaces(tmp_path, 12, [unknown, made.change(surface="gyrification")])
    fit_surface(**files)
    assert len(read_table(files["peaks"], "peaks")) == 0
    said = capsys.readouterr().err
    assert "Left out: on_ctra: the study has no assay data ('log_hair_cortisol')." in said
    assert "has no model of surface thickness that this study allows" in said


def test_the_shipped_maps_enter_no_other_family(root: Path) -> None:
    """Maps are planned apart: the models of measures, and so every m, are those without them."""
    from pniflow.models.specification import read_models

    plan = read_models(root / "config" / "models.yaml")
    assert [model.name for model in plan.maps] == [
        "surface_thickness_change", "surface_thickness_on_ctra", "voxel_gm_volume_change"
    ]  # fmt: skip
    of_maps = {family for model in plan.maps for family in model.test.values()}
    assert of_maps == {name for name, family in plan.families.items() if family.adjust == "max_t"}
    assert not of_maps & {family for model in plan.models for family in model.test.values()}
    assert dataclasses.replace(plan, maps=()).models == plan.models
