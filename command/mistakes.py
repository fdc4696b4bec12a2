"""What a person at the command line can put right: said in one line, without a trace."""


class Mistake(Exception):
    """The message is for people, Chinese first, and says the next step."""


class NotRunning(Mistake):
    """Nothing runs from this data folder."""


class ImportFailed(Mistake):
    """The API did not take it; the message is the API's own."""


class Unknown(Mistake):
    """No such service or handler; the message names those that there are."""


class CannotRestore(Mistake):
    """What stands against a restore, before anything was written."""
