"""What there is to object to in an optimum, in sentences; :mod:`moelaws.fitting.rows` objects to the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moelaws.checks import Floats
from moelaws.fitting.objective import FLAT, Problem
from moelaws.fitting.optimise import AGREEMENT

CONDITION = 1e4
"""Where the condition number is objected to: losses are usually known to four digits, and an error of
one in the fourth can then move some combination of parameters by as much as their own size."""

UNCONVERGED = "The search did not converge: it gave up while the objective still fell, so that no value is final."
"""What is said of a fit that ran out of steps."""

NEAR_FLOOR = 0.01
"""How close to the lowest response, relative to it, a floor is objected to."""


@dataclass(frozen=True)
class Modes:
    """How strongly directions in the space of free coefficients show in the errors.

    Parameters
    ----------
    singular : numpy.ndarray, shape (modes,)
        Singular values of the Jacobian in columns of unit length, largest first.
    directions : numpy.ndarray, shape (modes, free coefficients)
        What belongs to them, in those units.
    lengths : numpy.ndarray, shape (free coefficients,)
        The lengths that the columns had.
    """

    singular: Floats
    directions: Floats
    lengths: Floats

    @property
    def condition(self) -> float:
        """The largest singular value over the smallest."""
        if not len(self.singular):
            return 1.0  # nothing is free
        return float(self.singular[0] / self.singular[-1]) if self.singular[-1] > 0 else np.inf

    @property
    def flat(self) -> Floats:
        """The directions that leave no trace, shape (any number, free coefficients)."""
        traceless = (self.singular < FLAT * self.singular.max(initial=0.0)) | (self.singular == 0)
        return np.asarray(self.directions[traceless])


def modes(problem: Problem, best: Floats) -> Modes:
    """Return the modes of a problem at its optimum."""
    matrix, lengths = problem.unit_jacobian(best)
    _, singular, directions = np.linalg.svd(matrix, full_matrices=False)
    return Modes(singular, directions, lengths)


def of_search(converged: bool, disagreement: float, alone: int, has_twin: bool) -> Iterator[str]:
    """Yield objections to the search: whether it ended, what another gets lower, of how many starts one led there.

    And whether starts led to another optimum that is as low.
    """
    if not converged:
        yield UNCONVERGED
    if disagreement > AGREEMENT:
        yield (
            f"Another search gets {disagreement:.1g} lower in the objective (relative), "
            "so that a better optimum than the one kept exists."
        )
    elif alone:
        yield f"Only one of {alone} starts led to this optimum, so that a better one may exist."
    if has_twin:
        yield "Another optimum, with other parameters, is as good as this one: the rows do not choose between them."


def of_optimum(problem: Problem, best: Floats, shown: Modes, at_bound: Sequence[str]) -> Iterator[str]:
    """Yield objections to an optimum, of which free coefficients, modes and parameters at a bound are given."""
    law = problem.law
    for name in at_bound:
        yield f"Parameter '{name}' stands at its bound, so that the rows do not limit it on that side."
    for direction in shown.flat:
        yield _trade(problem, best, direction / shown.lengths)
    if not len(shown.flat) and shown.condition > CONDITION:
        yield (
            f"The condition number is {shown.condition:.1g} (over {CONDITION:.0e}): parameters trade off so closely "
            "that an error in the fourth digit of a response moves them."
        )
    theta = problem.theta(best)
    floor = law.linear[0]
    constant = bool((law.terms(theta[len(law.linear) :], problem.columns)[:, 0] == 1).all())
    lowest = float(problem.observed.min())
    if law.link == "identity" and constant and theta[0] > (1 - NEAR_FLOOR) * lowest:
        named, response = f"Parameter '{floor.name}' ({theta[0]:.4g})", f"the lowest {law.predicted} ({lowest:.4g})"
        if theta[0] > (1 + NEAR_FLOOR) * lowest:
            yield f"{named} is above {response}: the law cannot go as low as these rows do."
        else:
            yield f"{named} is within one per cent of {response}: the law has nothing left to gain beyond these rows."


def _trade(problem: Problem, best: Floats, move: Floats) -> str:
    """Say which parameters can move together, and in which proportion, without a trace."""
    relative = move / np.where(best != 0, best, 1.0)
    relative = relative / relative[np.argmax(np.abs(relative))]
    parts = []
    for places, step in zip(problem.indices, relative, strict=True):
        parameter = problem.law.parameters[places[0]]
        if abs(step) > 1e-3:
            parts.append(f"{parameter.name} {-step if parameter.rate else step:+.2g} %")
    if len(parts) == 1:
        return f"Parameter '{parts[0].split()[0]}' has no effect on any row, so that its value means nothing."
    return f"Parameters are not identified: {', '.join(parts)} together change no prediction."
