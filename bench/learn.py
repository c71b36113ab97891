"""What scikit-learn takes for a round on one core, on generated data: prints JSON for bench/learn.ts.

usage: learn.py ROWS FEATURES K ROUNDS
"""
import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[name] = "1"

import warnings

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore")
rows, features, k, rounds = map(int, sys.argv[1:])
random = np.random.default_rng(0)
# Clusters that overlap, or both methods would be done after two rounds.
x = random.standard_normal((rows, features), dtype=np.float32)
x += random.standard_normal((k, features), dtype=np.float32)[random.integers(0, k, rows)] / 2
start = x[:k].copy()


def seconds(fit):
    """A fit of many rounds less a fit of one, by the rounds between them: what a start takes is not counted."""
    times = []
    for count in (1, 1 + rounds):
        started = time.perf_counter()
        done = fit(count)
        times.append((time.perf_counter() - started, done))
    return (times[1][0] - times[0][0]) / (times[1][1] - times[0][1])


def lloyd(count):
    return KMeans(k, init=start, n_init=1, max_iter=count, tol=0, algorithm="lloyd").fit(x).n_iter_


def em(count):
    model = GaussianMixture(
        k,
        covariance_type="diag",
        means_init=start,
        weights_init=np.full(k, 1 / k),
        precisions_init=np.ones((k, features)),
        init_params="random_from_data",
        max_iter=count,
        tol=0,
    )
    return model.fit(x).n_iter_


print(json.dumps({"version": sklearn.__version__, "lloyd": seconds(lloyd), "em": seconds(em)}))
