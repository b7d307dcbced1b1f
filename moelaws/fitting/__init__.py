"""Laws fitted to tables of runs, with intervals, comparisons and predictions."""
