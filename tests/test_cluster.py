"""Bootstrap draws do not depend on where they are computed."""

import joblib
import numpy as np
import pandas as pd
import pytest

from moelaws.fitting import intervals as uncertainty
from moelaws.fitting.estimation import fit
from moelaws.laws import LAWS

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed; make test installs it.")


def table():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"n_active": np.geomspace(1e7, 1e10, 12), "n_routed": rng.choice([1.0, 8, 64], 12)})
    law = LAWS["power_product"]
    loss = law.predict(np.array([-0.08, -0.03, 2.4]), rows) * np.exp(0.02 * rng.normal(size=12))
    return rows.assign(loss=loss, run=np.repeat(range(6), 2))


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore:Couldn.t detect:RuntimeWarning"
)
def test_a_dask_cluster_gives_the_same_draws():
    fitted = fit(LAWS["power_product"], table())
    here = uncertainty.refits(fitted, by="run", draws=40)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        there = uncertainty.refits(fitted, by="run", draws=40)
    assert np.array_equal(here.coefficients, there.coefficients)
