"""How many experts each layer uses: Yang et al. (2025, arXiv:2505.03531), Section 5.2."""

import numpy as np

from moelaws.checks import Floats
from moelaws.errors import InputError


def allocation(first: int, peak: int, last: int, peak_layer: int, n_layers: int) -> Floats:
    """Active experts of each layer under the allocation (b, h, e, p), not rounded; layers are counted from 1.

    Linear from `first` in layer 1 to `peak` in layer `peak_layer`, and on to `last` in the last
    layer. Where the peak stands in layer 1 or in the last layer, the paper leaves open which of
    the two numbers holds there; here the end keeps its own number and the neighbouring ramp
    starts from `peak`.

    Examples
    --------
    >>> allocation(first=2, peak=6, last=4, peak_layer=3, n_layers=5).tolist()
    [2.0, 4.0, 6.0, 5.0, 4.0]
    """
    if not 1 <= peak_layer <= n_layers:
        raise InputError(f"Parameter peak_layer is {peak_layer}; a layer from 1 to {n_layers} is expected.")
    experts = np.interp(np.arange(1, n_layers + 1), [1, peak_layer, n_layers], [first, peak, last])
    experts[0], experts[-1] = first, last
    return experts
