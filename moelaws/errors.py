"""What a user's own mistake raises, and what data that are not here raise."""


class InputError(ValueError):
    """Input that cannot be used.

    The message is one sentence for the user: it names the file, row, column or
    parameter at fault and says what is expected there.
    """


class Unavailable(InputError):
    """Public data that are neither on this machine nor to be downloaded.

    The message is one sentence: what is missing, where it is public, and which
    environment variable can name a folder that holds it.
    """
