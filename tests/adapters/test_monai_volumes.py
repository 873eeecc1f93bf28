"""What a MONAI network is given of a volume: axes, HU, spacing, values, windows; and the way back."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from made_monai import GEOMETRY, TOML, made, query, volume

from m3dbench.adapters.monai_seg.description import Input
from m3dbench.adapters.monai_seg.volumes import NO_SPACING, Axes, seen
from m3dbench.data.sample import Request
from m3dbench.errors import UserError


def test_axes_turn_as_nibabels_orientations_do() -> None:
    image = volume()
    codes = ["".join(code) for order in permutations(("RL", "AP", "SI")) for code in product(*order)]
    for stored, wanted in product(codes, ("RAS", "LPS", "SAR", "IPL")):
        axes = Axes.of(stored, wanted)
        turned = axes.to_network(torch.from_numpy(image)[None])
        change = nib.orientations.ornt_transform(*(nib.orientations.axcodes2ornt(code) for code in (stored, wanted)))
        expected = nib.orientations.apply_orientation(image[0], change)
        np.testing.assert_array_equal(turned[0, 0].numpy(), expected)
        np.testing.assert_array_equal(axes.to_stored(turned[0, 0]).numpy(), image[0])


def test_hu_are_recovered_and_windowed() -> None:
    image = np.full((1, 4, 6, 5), 0.5, dtype=np.float32)
    image[0, 0, 0, 0] = 0
    taken = seen(image, GEOMETRY, Input(window=(0, 200), range=(-1, 1))).image
    assert (float(taken.max()), float(taken.min())) == (0.0, -1.0)  # 100 HU, and -100 HU clipped
    wide = seen(image, GEOMETRY, Input(window=(0, 200), clip=False)).image
    assert float(wide.min()) == -0.5
    with pytest.raises(UserError, match="wants HU, and the data set does not say") as caught:
        seen(image, None, Input(window=(0, 200)))
    assert caught.value.field == "input.window"
    assert "values=stored" in str(caught.value.fix)


def test_stored_values_may_stand_for_hu(random_segresnet: Path, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(TOML.replace("[sliding]", "window = [-200, 400]\n\n[sliding]"))
    asked = query(Request("segment", target="liver"), volume((24, 64, 64)))
    weights = {"weights": str(random_segresnet / "model.pt")}
    with pytest.raises(UserError, match="wants HU"):
        made(tmp_path / "net.toml", **weights).predict([asked])
    (answer,) = made(tmp_path / "net.toml", values="stored", **weights).predict([asked])
    np.testing.assert_array_equal(answer.mask, made(random_segresnet / "net.toml").predict([asked])[0].mask)


def test_spacing_is_in_the_networks_axes_and_undone() -> None:
    taken = seen(volume(), GEOMETRY, Input(spacing=(1.0, 3.0, 2.0)))
    assert taken.image.shape == (1, 1, 10, 6, 12)
    assert [tuple(one.shape) for one in taken.back(torch.zeros(1, 2, 10, 6, 12))] == [(4, 6, 5)] * 2
    unknown = seen(volume(), None, Input(spacing=(1.0, 3.0, 2.0)))
    assert (unknown.image.shape, unknown.notes) == ((1, 1, 5, 6, 4), (NO_SPACING,))


@pytest.mark.parametrize("normalise", ["minmax", "zscore", "zscore_nonzero"])
def test_values_are_normalised_as_monai_does(normalise: Any) -> None:
    from monai.transforms import NormalizeIntensity, ScaleIntensity

    image = volume()
    image[0, :2] = 0
    taken = seen(image, GEOMETRY, Input(orientation="SAR", normalise=normalise)).image[0]
    transform = ScaleIntensity() if normalise == "minmax" else NormalizeIntensity(nonzero=normalise != "zscore")
    torch.testing.assert_close(taken, torch.as_tensor(transform(image)), atol=1e-5, rtol=1e-5)


def test_another_geometry_is_another_result(random_segresnet: Path) -> None:
    adapter = made(random_segresnet / "net.toml")
    liver, shown = Request("segment", target="liver"), volume((24, 64, 64))
    other = replace(GEOMETRY, axes_code="IPL", grid=(24, 64, 64))
    adapter.predict([query(liver, shown), query(liver, shown, other), query(liver, shown)])
    assert adapter._runner is not None and adapter._runner.results.computed == 2


@pytest.mark.parametrize("size", [(8, 20, 9), (4, 6, 5), (3, 13, 16)])
def test_segvols_windows_are_monais(size: tuple[int, int, int]) -> None:
    from monai.inferers import sliding_window_inference

    from m3dbench.adapters.segvol import zoom

    ramp = torch.linspace(0, 1, 4 * 8 * 6).view(1, 1, 4, 8, 6)
    image = torch.from_numpy(volume(size))[None]
    expected = sliding_window_inference(image, (4, 8, 6), 1, lambda one: one * ramp + ramp, overlap=zoom.OVERLAP)
    torch.testing.assert_close(zoom.slide(image, (4, 8, 6), lambda one: one * ramp + ramp), expected)
