r"""Averages of laws: instead of one law, the weighted mean of the predictions of all.

Each law is fitted as if it were alone. Three ways to weigh m laws, all from forward validation inside the training rows
(:mod:`moelaws.fitting.comparison`) and none from rows held out:

``equal``
    :math:`1/m` each. Hard to beat where the rows that decide weights are few, but it counts a hopeless law in full.
``inverse``
    Proportional to the inverse mean square error of forward validation (Bates and Granger 1969, without covariances).
    A law with three times the error of another has a ninth of its weight.
``stacked``
    Not negative, of sum one, and best for the rows that forward validation predicted (Breiman 1996). It is the only one that
    uses how errors go together, and the only one that fits m - 1 numbers to what may be two sizes.

The default is ``inverse``. This was written before any of the three had been computed in this project, for a reason and not for a
result: it knows which laws are hopeless, which ``equal`` does not, and has nothing to fit, which ``stacked`` has. How each then
did on sets of runs that were named beforehand stands in ``data/averages``.

References
----------
J. M. Bates and C. W. J. Granger, The combination of forecasts, Operational Research Quarterly 20 (1969) 451-468.
L. Breiman, Stacked regressions, Machine Learning 24 (1996) 49-64.
"""

DEFAULT = "inverse"
"""The average that is meant where none is named; fixed before the first result, see above."""
