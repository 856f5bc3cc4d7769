"""Real data sets that ship inside libraries, so that training needs no download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from training.data.dataset import Dataset

#: Grey levels of a pixel in scikit-learn's digits: 0 to 16.
GREY_LEVELS = 16.0


def digits() -> Dataset:
    """1797 handwritten digits as 64 grey values from 0 to 16 (float32), with their label from 0 to 9.

    scikit-learn ships them: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html
    """
    from sklearn.datasets import load_digits

    loaded: Any = load_digits()
    return Dataset(loaded.data.astype(np.float32), loaded.target.astype(np.int64), "scikit-learn digits")


def digits_32x32x3() -> Dataset:
    """The same digits as colour images of 32×32×3 with values from -1 to 1, as an image network takes them.

    Each 8×8 image is enlarged by linear interpolation; the three channels are equal. Values on both sides of zero:
    with values from 0 to 1 ten epochs leave the network about one point less accurate.
    """
    from scipy.ndimage import zoom

    small = digits()
    images = small.X.reshape(-1, 8, 8) / GREY_LEVELS
    large = np.asarray(zoom(images, (1, 4, 4), order=1)).clip(0.0, 1.0)
    colour = np.repeat(large[..., np.newaxis] * 2 - 1, 3, axis=-1).astype(np.float32)
    return Dataset(colour, small.y, "scikit-learn digits, resized to 32×32×3")


BUILDERS: Mapping[str, Callable[[], Dataset]] = {"digits": digits, "digits-32x32x3": digits_32x32x3}
