"""The one exception that a user's own mistake raises."""


class InputError(ValueError):
    """Input that cannot be used.

    The message is one sentence for the user: it names the file, row, column or
    parameter at fault and says what is expected there.
    """
