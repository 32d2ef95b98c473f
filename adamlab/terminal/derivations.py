"""What `adamlab derive` shows."""

from adamlab.derivations import derive
from adamlab.terminal.console import say, say_json
from adamlab.terminal.formulas import require_formula_format


def derive_and_show(name: str, form: str, superscripts: bool) -> bool:
    """Prints a derivation, its steps checked; whether all of them hold."""
    require_formula_format(form, superscripts)
    found = derive(name)
    if form == "json":
        say_json(found.to_dict())
    else:
        say(getattr(found, form)(superscripts=superscripts))
    return found.holds
