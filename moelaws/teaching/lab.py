"""Training runs that are paid for from a budget, and predictions of runs that are shown afterwards."""

from collections.abc import Collection, Iterable

import pandas as pd

from moelaws.errors import InputError


class Lab:
    """A budget of compute, a catalogue of runs, and an exam: runs whose loss has to be predicted before it is shown.

    Parameters
    ----------
    runs : DataFrame
        All runs, one a row, with the columns `run` (its name), `flops` (its price, FLOP) and `loss`.
    exam : collection of str
        Names of the runs that are predicted; the others can be bought.
    budget : float
        What all bought runs together may cost, FLOP.

    Examples
    --------
    >>> runs = pd.DataFrame({"run": ["a", "b", "c"], "flops": [1e12, 3e12, 9e12], "loss": [4.0, 3.5, 3.1]})
    >>> lab = Lab(runs, exam=["c"], budget=3e12)
    >>> lab.buy(["a"]).loss.tolist(), lab.left
    ([4.0], 2000000000000.0)
    >>> lab.predict("c", 3.2, 3.0, 3.4)
    >>> lab.reveal()[["run", "predicted", "loss", "error", "inside"]].values.tolist()
    [['c', 3.2, 3.1, 0.1, True]]
    """

    def __init__(self, runs: pd.DataFrame, exam: Collection[str], budget: float) -> None:
        for column in ("run", "flops", "loss"):
            if column not in runs:
                raise InputError(f"Parameter runs has no column '{column}'; 'run', 'flops' and 'loss' are expected.")
        if runs.run.duplicated().any():
            name = runs.run[runs.run.duplicated()].iloc[0]
            raise InputError(f"Parameter runs, column 'run': '{name}' occurs twice; a name for each run is expected.")
        if missing := set(exam) - set(runs.run):
            raise InputError(f"Parameter exam names '{min(missing)}'; names of the column 'run' are expected.")
        self._runs = runs.set_index("run", drop=False).rename_axis(None)
        self._exam = list(exam)
        self._bought: list[str] = []
        self._predictions: dict[str, tuple[float, float, float]] = {}
        self._shown = False
        self.budget = float(budget)

    @property
    def catalogue(self) -> pd.DataFrame:
        """The runs that can be bought, without their loss."""
        return self._runs.drop(self._exam).drop(columns="loss").reset_index(drop=True)

    @property
    def exam(self) -> pd.DataFrame:
        """The runs to predict, without their loss."""
        return self._runs.loc[self._exam].drop(columns="loss").reset_index(drop=True)

    @property
    def left(self) -> float:
        """What is left of the budget, FLOP."""
        return self.budget - float(self._runs.loc[self._bought].flops.sum())

    def buy(self, names: Iterable[str]) -> pd.DataFrame:
        """Pay for runs and return all that were bought so far, with their loss; a run is paid for once.

        Returned are all runs bought so far, in the order of the catalogue.

        Raises
        ------
        InputError
            If a name is not in the catalogue, the budget does not suffice (nothing is bought then), or the exam's runs
            were shown.
        """
        self._open()
        new = [name for name in dict.fromkeys(names) if name not in self._bought]
        for name in new:
            if name not in self._runs.index or name in self._exam:
                raise InputError(f"Parameter names holds '{name}'; runs of the catalogue are expected.")
        price = float(self._runs.loc[new].flops.sum())
        if price > self.left:
            raise InputError(
                f"The {len(new)} new runs cost {price:.3g} FLOP; at most the {self.left:.3g} FLOP left are expected."
            )
        self._bought += new
        return self._runs[self._runs.index.isin(self._bought)].reset_index(drop=True)

    def predict(self, run: str, loss: float, low: float, high: float) -> None:
        """Hand in a prediction; a later one for the same run replaces it.

        Parameters
        ----------
        loss, low, high : float
            The predicted loss, and the ends of an interval that should hold the measured one, in the unit of the runs'
            losses.

        Raises
        ------
        InputError
            If `run` is not in the exam, the numbers are not in the order low, loss, high, or the runs were shown.
        """
        self._open()
        if run not in self._exam:
            raise InputError(f"Parameter run is '{run}'; one of {', '.join(self._exam)} is expected.")
        if not low <= loss <= high:
            raise InputError(f"The prediction {loss} with the interval {low} to {high} is expected to lie inside it.")
        self._predictions[run] = (float(loss), float(low), float(high))

    def reveal(self) -> pd.DataFrame:
        """Show the losses of the exam's runs beside the predictions; nothing can be bought or predicted afterwards.

        Returns
        -------
        DataFrame
            Columns `run`, `flops`, `predicted`, `low`, `high`, `loss`, `error` (predicted less measured) and `inside`,
            with four decimals.
        """
        if missing := [run for run in self._exam if run not in self._predictions]:
            raise InputError(f"There is no prediction of {missing[0]} yet; one for each run of the exam is expected.")
        self._shown = True
        guesses = pd.DataFrame(self._predictions, index=["predicted", "low", "high"]).T.loc[self._exam]
        table = self._runs.loc[self._exam, ["run", "flops"]].join(guesses).join(self._runs.loss)
        table["error"] = table.predicted - table.loss
        table["inside"] = table.loss.between(table.low, table.high)
        return table.round(4).reset_index(drop=True)

    def _open(self) -> None:
        if self._shown:
            raise InputError("The losses of the exam were shown; make a new Lab to try another choice.")
