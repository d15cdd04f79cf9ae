"""Models at every vertex: 64,984 vertices, 46 scans, 1,000 sign flips; max-T and TFCE, time and memory.

Each step runs in a process of its own, so that its peak memory is its own; seconds are processor seconds of
one thread. `python bench_surface.py` runs all steps; `python bench_surface.py STEP` one of them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow"))

PEOPLE, FLIPS = 23, 1000
STEPS = {
    "data": "reading the template, making smooth data (the floor of the others' memory)",
    "fit": "fit of the change at every vertex, Kenward-Roger",
    "max_t": f"max-T, {FLIPS:,} sign flips",
    "tfce": f"TFCE, {FLIPS:,} sign flips",
    "voxels": "TFCE of an ellipsoid of 439,159 voxels, 31 sign flips and none, with its neighbours",
}


def data() -> tuple[np.ndarray, object]:
    """Return thickness of 23 people at two sessions, smooth over some millimetres, and the mesh's edges."""
    from scipy.sparse import coo_matrix, diags

    from pniflow.imaging.cat12 import template

    triangles = template.both_triangles()
    size = int(triangles.max()) + 1
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    edges = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), (size, size)).tocsr()
    edges.data[:] = 1
    average = diags(1 / (1 + edges.sum(axis=1).A1)) @ (edges + diags(np.ones(size)))
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(size, 3 * PEOPLE))
    for _ in range(20):
        noise = average @ noise
    noise /= noise.std()
    values = np.empty((2 * PEOPLE, size), dtype=np.float32)
    for session in range(2):
        values[session::2] = (
            2.5 + (0.3 * noise[:, :PEOPLE] + 0.1 * noise[:, (1 + session) * PEOPLE :][:, :PEOPLE]).T
        )
    return values, edges


def step(name: str) -> float:
    """Run one step; return its processor seconds."""
    from pniflow.maps.familywise import Space, enhanced_p, enhancer
    from pniflow.mixed import MixedModel, one_blas_thread, sign_flips, tests_of

    if name == "voxels":
        return volume()
    values, edges = data()
    usable = np.ones(values.shape[1], dtype=bool)
    change = values[1::2].astype(float) - values[0::2]
    began = time.process_time()
    with one_blas_thread():
        if name == "fit":
            design = np.column_stack([np.ones(2 * PEOPLE), np.tile([0.0, 1.0], PEOPLE)])
            engine = MixedModel(design, {"person": np.repeat(np.arange(PEOPLE), 2)})
            for start in range(0, values.shape[1], 8192):
                engine.fit(values[:, start : start + 8192], {"session": np.array([0.0, 1.0])}).tests()
        elif name == "max_t":
            tests_of(sign_flips(change, flips=FLIPS, seed=1, exact=False))
        elif name == "tfce":
            enhanced_p(
                sign_flips(change, flips=FLIPS, seed=1, exact=False), enhancer(Space(edges, 1.0), usable)
            )
    return time.process_time() - began


def volume() -> float:
    """TFCE of smooth changes over a mask of the size of CAT12's grey matter at 1.5 mm; processor seconds."""
    from scipy.ndimage import gaussian_filter

    from pniflow.maps.familywise import Space, enhanced_p, enhancer
    from pniflow.maps.fit_voxels import neighbours
    from pniflow.mixed import sign_flips

    rng = np.random.default_rng(0)
    place = np.indices((113, 137, 113)) - np.array([56, 68, 56])[:, None, None, None]
    inside = np.square(place / np.array([45, 55, 45])[:, None, None, None]).sum(axis=0) < 0.98**2
    change = np.stack(
        [gaussian_filter(rng.normal(size=inside.shape).astype("f4"), 2)[inside] for _ in range(PEOPLE)]
    )
    began = time.process_time()
    space = Space(neighbours(inside), 0.5)
    flips = sign_flips(change, flips=31, seed=1, exact=False)
    enhanced_p(flips, enhancer(space, np.ones(change.shape[1], dtype=bool)))
    return time.process_time() - began


def main() -> None:
    """Run each step in its own process and print a table."""
    print(f"64,984 vertices x {2 * PEOPLE} scans x {FLIPS:,} sign flips, one thread")
    for name, words in STEPS.items():
        run = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
        seconds, peak = run.stdout.split()
        print(f"  {words}: {float(seconds):.2f} s, peak {float(peak):.0f} MiB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        taken = step(sys.argv[1])
        print(f"{taken} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}")
    else:
        main()
