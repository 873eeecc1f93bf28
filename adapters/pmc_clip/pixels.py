"""Grey pictures as PMC-CLIP's image tower takes them: Pillow's bicubic on 8 bits, a square from the middle, CLIP's
statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from m3dbench.data.slices import Picture
from m3dbench.errors import missing_extra

MEAN = np.asarray((0.48145466, 0.4578275, 0.40821073), dtype=np.float32)
STD = np.asarray((0.26862954, 0.26130258, 0.27577711), dtype=np.float32)


def pixels(picture: Picture, size: int) -> npt.NDArray[np.float32]:
    """A grey picture (rows, columns) as (3, size, size), normalised; what the square leaves out is lost."""
    try:
        from PIL import Image
    except ImportError as error:
        raise missing_extra("Making pictures of slices", "data") from error
    height, width = picture.shape
    short = min(height, width)
    rows, columns = (size if side == short else int(size * side / short) for side in (height, width))
    image = Image.fromarray(picture)
    if (columns, rows) != image.size:
        image = image.resize((columns, rows), Image.Resampling.BICUBIC)
    top, left = round((rows - size) / 2), round((columns - size) / 2)
    grey = np.asarray(image, dtype=np.float32)[top : top + size, left : left + size] / np.float32(255)
    return (grey[np.newaxis] - MEAN[:, np.newaxis, np.newaxis]) / STD[:, np.newaxis, np.newaxis]
