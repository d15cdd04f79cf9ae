"""The brain is drawn on its side, the right way up, each region in its place."""

from __future__ import annotations

import io

import numpy as np
import pytest

from pniflow.figures import brain, style

pytestmark = pytest.mark.xdist_group("figures")


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_front_of_the_brain_points_outward_on_each_side(side):
    """Seen from outside, the front is at the left of a left hemisphere and at the right of a right one."""
    view = brain.render(side, "aparc_a2009s")
    columns = {
        name: np.nonzero(view.region == view.names.index(name))[1].mean()
        for name in ("G_front_middle", "Pole_occipital", "G_insular_short", "G_Ins_lg_and_S_cent_ins")
    }
    to_front = -1 if side == "left" else 1
    assert to_front * (columns["G_front_middle"] - columns["Pole_occipital"]) > 100
    assert to_front * (columns["G_insular_short"] - columns["G_Ins_lg_and_S_cent_ins"]) > 0


def test_up_is_up_and_inner_is_inner():
    view = brain.render("left", "aparc_a2009s")
    rows = {
        n: np.nonzero(view.region == view.names.index(n))[0].mean() for n in ("G_precentral", "Pole_temporal")
    }
    assert rows["G_precentral"] < rows["Pole_temporal"]
    inner = brain.render("left", "aparc_a2009s", inner=True)
    cuneus = inner.names.index("G_cuneus")
    assert (inner.region == cuneus).sum() > 5 * (view.region == cuneus).sum()


def test_a_view_has_no_empty_pixel():
    from scipy.ndimage import binary_fill_holes

    for side in ("left", "right"):
        view = brain.render(side, "aparc_a2009s")
        assert (binary_fill_holes(view.brain) == view.brain).all()


def test_a_value_colours_its_region_alone():
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize

    view = brain.render("left", "aparc_a2009s")
    region = view.region == view.names.index("G_insular_short")
    with style.drawing():
        drawn = style.new_figure(80, 60)
        drawn.set_layout_engine("none")
        axes = drawn.add_axes((0, 0, 1, 1))
        brain.draw_brain(
            axes, "left", "aparc_a2009s", {"G_insular_short": 1.0}, Normalize(-1, 1), colormaps["RdBu_r"]
        )
        picture = np.asarray(axes.images[0].get_array())
        FigureCanvasAgg(drawn).print_png(io.BytesIO())
    red = picture[..., 0] - picture[..., 2] > 0.1
    assert red[region].mean() > 0.6  # the rest of it is the outline
    assert not red[~region].any()


def test_rim_is_the_border_on_both_sides():
    group = np.array([[0, 0, 1, 1]] * 3)
    assert (brain.rim(group) == np.array([[False, True, True, False]] * 3)).all()
