"""The output of `adamlab derive`."""

from adamlab.derivations import DERIVATIONS, derive
from adamlab.derivations.documents import latex_document, page, text_document
from adamlab.terminal.console import say, say_json, waiting
from adamlab.terminal.optimizers.formulas import require_formula_format

EVERY = "all"
"""The name that stands for all derivations, in a single document."""

DOCUMENTS = {"text": text_document, "latex": latex_document, "mathml": page}


def derive_and_show(name: str, form: str, superscripts: bool) -> bool:
    """Print a derivation, or all, with the steps checked, and return whether all steps hold."""
    require_formula_format(form, superscripts)
    with waiting("checking every step"):
        derivations = [derive(key) for key in (DERIVATIONS if name == EVERY else [name])]
    if form == "json":
        data = [derivation.to_dict() for derivation in derivations]
        say_json(data if name == EVERY else data[0])
    else:
        say(DOCUMENTS[form](derivations, superscripts=superscripts))
    return all(derivation.holds for derivation in derivations)
