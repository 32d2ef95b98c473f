"""What `adamlab derive` shows."""

from adamlab.derivations import DERIVATIONS, derive
from adamlab.terminal.console import say, say_json
from adamlab.terminal.formulas import require_formula_format

EVERY = "all"
"""What stands for all derivations, as one document."""


def derive_and_show(name: str, form: str, superscripts: bool) -> bool:
    """Prints a derivation, or all of them, with the steps checked; whether all steps hold."""
    require_formula_format(form, superscripts)
    found = [derive(each) for each in (DERIVATIONS if name == EVERY else [name])]
    if form == "json":
        data = [derivation.to_dict() for derivation in found]
        say_json(data if name == EVERY else data[0])
    else:
        written = "\n\n".join(getattr(derivation, form)(superscripts=superscripts) for derivation in found)
        say(f"<article>\n{written}\n</article>" if form == "mathml" and name == EVERY else written)
    return all(derivation.holds for derivation in found)
