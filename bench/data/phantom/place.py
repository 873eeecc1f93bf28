"""Where the grid of a prepared phantom volume lies in its case: the ``geometry.json`` beside it."""

from __future__ import annotations

from m3dbench.data.geometry import Geometry

from .case import Case

Box = tuple[slice, slice, slice]
RUNS = "IPL"
"""An axial case runs from head to feet, front to back, right to left."""


def geometry_of(
    case: Case, box: Box, hu_window: tuple[float, float], order: tuple[int, int, int] = (0, 1, 2)
) -> Geometry:
    """The geometry of a volume cut from an axial case and resized to the case's own grid size.

    order: the case's axis that lies along D, H and W of the volume. box: what was kept, in the volume's axes. The world
    origin is the first voxel of the case. Lengths are rounded, so that the last bits of arithmetic reach no file.
    """
    depth, height, width = (round(size, 6) for size in case.spacing)
    spacing = (depth, height, width)
    edges = [(part.start or 0, part.stop or case.grid[axis]) for part, axis in zip(box, order, strict=True)]
    sizes = [
        round(spacing[axis] * (stop - start) / size, 6)
        for axis, (start, stop), size in zip(order, edges, case.grid, strict=True)
    ]
    return Geometry(
        native_shape=case.grid,
        native_affine=(
            (0.0, 0.0, -width, 0.0),
            (0.0, -height, 0.0, 0.0),
            (-depth, 0.0, 0.0, 0.0),
            (0.0, 0.0, 0.0, 1.0),
        ),
        native_axes=RUNS,
        orientation=((order[0], False), (order[1], False), (order[2], False)),
        crop=(edges[0], edges[1], edges[2]),
        grid=case.grid,
        spacing_mm=(sizes[0], sizes[1], sizes[2]),
        hu_window=(round(hu_window[0], 3), round(hu_window[1], 3)),
        source=case.facts.case,
        axes_code="".join(RUNS[axis] for axis in order),
    )
