"""Where every verb prints."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
