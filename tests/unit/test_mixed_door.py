"""The front door of the engine: what it needs, what it hands out, and that everything has a name."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pniflow import mixed
from pniflow.mixed import METHODS, MixedModel, RandomTerm

ROOT = Path(__file__).resolve().parents[2]
PERSON = np.repeat(np.arange(12), 3)
VISIT = np.tile(np.arange(3.0), 12)
ALONE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        own = name == "pniflow" or name.startswith("pniflow.mixed")
        if not own and first not in {"numpy", "scipy", *sys.stdlib_module_names} and first[0] != "_":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
import numpy as np
from pniflow import mixed
assert "scipy" not in sys.modules, "scipy is imported where it is used"
person, visit = np.repeat(np.arange(12), 3), np.tile(np.arange(3.0), 12)
y = np.random.default_rng(1).normal(size=(36, 2)) + np.random.default_rng(2).normal(size=12)[person, None]
for random in ({}, {"person": person}, {"person": mixed.RandomTerm(person, {"visit": visit})}):
    assert np.isfinite(mixed.MixedModel({"visit": visit}, random).fit(y).tests().p_value).all()
mixed.sign_flip(y[1::3] - y[::3], seed=1), mixed.paired_effects(y[::3], y[1::3]), mixed.adjust([0.1], "bh")
mixed.cr2_tests(np.column_stack([np.ones(36), visit]), person, y[:, 0], 1.0)
"""


def outcomes(seed=0, count=3):
    rng = np.random.default_rng(seed)
    level, slope = rng.normal(size=(2, 12, count))
    return level[PERSON] + (0.5 + slope)[PERSON] * VISIT[:, None] + 0.3 * rng.normal(size=(36, count))


def numbers(tests):
    return [tests.estimate, tests.std_error, tests.df, tests.statistic, tests.p_value]


def assert_same(one, two):
    for a, b in zip(numbers(one), numbers(two), strict=True):
        np.testing.assert_array_equal(a, b)


def imports(path):
    """Modules of pniflow that a file imports, with the names it takes."""
    pattern = r"^ *(?:from|import) (pniflow[\w.]*)(?: import (\([^)]*\)|[^\n#]*))?"
    for module, names in re.findall(pattern, path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        yield module, re.findall(r"\w+", names)


def test_the_engine_needs_numpy_and_scipy_alone():
    answer = subprocess.run(
        [sys.executable, "-c", ALONE],
        env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def test_the_engine_imports_nothing_else_of_pniflow():
    for path in (ROOT / "workflow/pniflow/mixed").glob("*.py"):
        assert all(module.startswith("pniflow.mixed") for module, _ in imports(path)), path.name


def test_the_list_of_public_names_is_complete():
    """All that the door imports is listed, and the rest of pniflow comes in by the door alone."""
    given = [names for _, names in imports(ROOT / "workflow/pniflow/mixed/__init__.py")]
    assert sorted(mixed.__all__) == sorted({name for names in given for name in names})
    assert all(hasattr(mixed, name) for name in mixed.__all__)
    taken = set()
    for path in [*ROOT.glob("workflow/pniflow/**/*.py"), *ROOT.glob("benchmarks/*.py")]:
        if path.parent.name != "mixed":
            for module, names in imports(path):
                assert not module.startswith("pniflow.mixed."), f"{path.name} goes round the door: {module}"
                taken |= set(names) if module == "pniflow.mixed" else set()
    assert taken <= set(mixed.__all__)


def modules():
    return [f"pniflow.mixed.{one.name}" for one in pkgutil.iter_modules(mixed.__path__)]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_page_runs():
    """docs/mixed.md from the first block to the last."""
    page = (ROOT / "docs/mixed.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(blocks, {}, "docs/mixed.md", None, 0)
    found = doctest.DocTestRunner().run(test)
    assert found.attempted > 20 and found.failed == 0


@pytest.mark.parametrize("random", [{}, {"person": PERSON}, {"person": RandomTerm(PERSON, {"visit": VISIT})}])
class TestOneResultForEveryCovariance:
    def test_columns_by_name_are_the_design(self, random):
        y = outcomes()
        named = MixedModel({"visit": VISIT}, random).fit({"a": y[:, 0], "b": y[:, 1], "c": y[:, 2]})
        plain = MixedModel(np.column_stack([np.ones(36), VISIT]), random).fit(y)
        assert named.names == ("(intercept)", "visit") and plain.names == ("x0", "x1")
        assert list(named.outcomes) == ["a", "b", "c"] and list(plain.outcomes) == [0, 1, 2]
        assert_same(named.tests(), plain.tests())

    def test_contrasts_before_and_after_the_fit_are_the_same(self, random):
        contrasts = {
            "last": {"(intercept)": 1, "visit": 2},
            "both": ["(intercept)", "visit"],
            "matrix": np.array([[0.0, 1.0]]),
        }
        model = MixedModel({"visit": VISIT}, random)
        before, after = model.fit(outcomes(), contrasts), model.fit(outcomes()).contrast(contrasts)
        for method in METHODS:
            one, two = before.tests(method), after.tests(method)
            assert one.terms == ("last", "both", "matrix") and one.df_numerator.tolist() == [1, 2, 1]
            assert np.isnan(one.estimate[1]).all() and np.isfinite(one.p_value).all()
            assert_same(one, two)

    def test_a_joint_hypothesis_of_one_row_is_the_square_of_t(self, random):
        fit = MixedModel({"visit": VISIT}, random).fit(outcomes())
        doubled = np.array([[0.0, 1.0], [1.0, 0.0]])
        both = fit.contrast({"both": doubled, "same, turned": np.array([[1.0, 1.0], [1.0, -1.0]])}).tests()
        np.testing.assert_allclose(both.statistic[1], both.statistic[0], rtol=1e-9)
        np.testing.assert_allclose(both.df[1], both.df[0], rtol=1e-7)

    def test_rows_are_tidy(self, random):
        y = outcomes(count=2)
        tests = MixedModel({"visit": VISIT}, random).fit({"a": y[:, 0], "b": y[:, 1]}).tests("satterthwaite")
        rows = tests.rows()
        assert [(row["outcome"], row["term"]) for row in rows] == [
            (outcome, term) for outcome in ("a", "b") for term in ("(intercept)", "visit")
        ]
        assert list(rows[0]) == [
            "outcome", "term", "df_numerator", "estimate", "std_error", "df", "statistic", "p_value", "note"
        ]  # fmt: skip
        assert rows[3]["p_value"] == tests.p_value[1, 1] and rows[3]["note"] == ""
        lines = str(tests).split("\n")
        assert len(lines) == 5 and lines[0].split() == [
            "outcome", "term", "estimate", "std_error", "df", "statistic", "p_value"
        ]  # fmt: skip

    def test_what_the_design_leaves_open_says_so(self, random):
        fit = MixedModel({"visit": VISIT, "twice": 2 * VISIT}, random).fit(outcomes())
        tests = fit.contrast(
            {"sum": {"visit": 1, "twice": 2}, "visit": {"visit": 1}, "all": fit.names}
        ).tests()
        assert np.isfinite(tests.p_value[0]).all() and np.isnan(tests.p_value[1:]).all()
        assert "twice is a combination of visit" in tests.note(0, 0) and "not estimable" not in tests.note(
            0, 0
        )
        assert tests.note(1, 0).endswith("not estimable") and tests.note(2, 0).endswith("not estimable")

    def test_an_outcome_with_a_missing_value_spoils_itself_alone(self, random):
        y = outcomes()
        whole = MixedModel({"visit": VISIT}, random).fit(y)
        y[4, 1] = np.nan
        fit = MixedModel({"visit": VISIT}, random).fit(y)
        assert [bool(note) for note in fit.note] == [False, True, False] and "missing" in fit.note[1]
        assert np.isnan(fit.tests().estimate[:, 1]).all()
        for a, b in zip(numbers(fit.tests()), numbers(whole.tests()), strict=True):
            np.testing.assert_array_equal(a[:, [0, 2]], b[:, [0, 2]])

    def test_nothing_asked_is_nothing_tested(self, random):
        tests = MixedModel({"visit": VISIT}, random).fit(outcomes(), {}).tests()
        assert tests.rows() == [] and tests.p_value.shape == (0, 3)

    def test_names_that_nothing_has_are_refused(self, random):
        fit = MixedModel({"visit": VISIT}, random).fit(outcomes())
        with pytest.raises(ValueError, match="'visits', which is no coefficient"):
            fit.contrast({"change": {"visits": 1}})
        with pytest.raises(ValueError, match="must weigh the 2 coefficients"):
            fit.contrast({"change": np.ones(3)})
        with pytest.raises(ValueError, match="'kr' is none of satterthwaite, kenward_roger"):
            fit.tests("kr")


def test_least_squares_is_the_textbooks_whichever_method_is_named():
    y = outcomes()
    fit = MixedModel({"visit": VISIT}).fit(y)
    assert_same(fit.tests("satterthwaite"), fit.tests("kenward_roger"))
    for column in range(3):
        line = stats.linregress(VISIT, y[:, column])
        tests = fit.tests()
        np.testing.assert_allclose(
            [tests.estimate[1, column], tests.std_error[1, column], tests.p_value[1, column]],
            [line.slope, line.stderr, line.pvalue],
            rtol=1e-10,
        )
    assert np.isnan(fit.icc).all() and not fit.singular.any() and fit.covariances == {}


def test_a_variance_of_zero_leaves_the_likelihood_of_least_squares():
    """The same likelihoods, REML and ML, from all three ways to fit it."""
    y = outcomes(3)
    for person in range(12):  # no person has a level of their own
        own = slice(3 * person, 3 * person + 3)
        y[own] -= y[own].mean(axis=0)
    none, one = MixedModel({"visit": VISIT}).fit(y), MixedModel({"visit": VISIT}, {"person": PERSON}).fit(y)
    many = MixedModel({"visit": VISIT}, {"person": PERSON, "trio": PERSON // 3}).fit(y)
    assert one.singular.all() and many.singular.all()
    for fit in (one, many):
        np.testing.assert_allclose(fit.reml_loglik, none.reml_loglik, rtol=1e-10)
        np.testing.assert_allclose(fit.ml_loglik, none.ml_loglik, rtol=1e-10)
        np.testing.assert_allclose(fit.tests().estimate, none.tests().estimate, atol=1e-10)


def test_random_coefficients_are_named():
    fit = MixedModel({}, {"person": RandomTerm(PERSON, {"visit": VISIT}), "trio": PERSON // 3}).fit(
        outcomes()
    )
    assert fit.effects == {"person": ("(intercept)", "visit"), "trio": ("(intercept)",)}
    assert fit.covariances["person"].shape == (3, 2, 2) and fit.covariances["trio"].shape == (3, 1, 1)


@pytest.mark.parametrize(
    ("fixed", "options", "words"),
    [
        ({"visit": VISIT[:5]}, {"random": {"person": PERSON}}, "labels|Labels"),
        ({"visit": VISIT, "age": VISIT[:5]}, {}, "36 rows"),
        (np.full((36, 2), np.nan), {}, "finite"),
        (np.ones((36, 2)), {"names": ["one"]}, "2 columns need as many different names"),
        (np.ones((36, 2)), {"names": ["one", "one"]}, "different names"),
        ({"visit": VISIT}, {"random": {"person": RandomTerm(PERSON, {"one": np.ones(36)})}}, "must vary"),
    ],
)
def test_a_model_that_cannot_be_is_refused(fixed, options, words):
    with pytest.raises(ValueError, match=words):
        MixedModel(fixed, **options)


def test_outcomes_of_another_length_are_refused():
    with pytest.raises(ValueError, match="36 rows"):
        MixedModel({"visit": VISIT}).fit(np.ones(35))
