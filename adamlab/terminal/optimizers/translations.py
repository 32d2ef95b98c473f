"""The output of `adamlab translate`."""

from adamlab.terminal.console import require_format, say, say_json, waiting
from adamlab.translation.translating import translate


def translate_and_show(call: str, to: str, form: str) -> bool:
    """Print an optimizer in the words of another library, and return whether both were proved to be the same."""
    require_format(form, ("text", "json"))
    with waiting(f"translating {call}"):
        translation = translate(call, to)
    if form == "json":
        say_json(translation.to_dict())
    else:
        say(translation.text())
    return translation.holds
