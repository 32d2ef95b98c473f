"""Formulas on the command line: what each command writes in each format, exit codes, and what it says of bad input."""

import json
from dataclasses import replace
from functools import wraps
from xml.etree import ElementTree

import optax
import pytest

import adamlab as al
from adamlab import relations
from adamlab.relations import RELATIONS, UNDECIDED
from adamlab.rules import RULES
from adamlab.terminal.optimizers import relations as shown_relations
from adamlab.terminal.optimizers.formulas import say_verdict

SPEC = "optax.adam(lr, b1=0.0)"
TWIN = "optax.rmsprop(lr, decay=b2, eps_in_sqrt=false, bias_correction=true)"


@pytest.fixture(autouse=True)
def _narrow_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")  # which what is piped does not heed


def written(adamlab, *arguments: str) -> str:
    result = adamlab(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    return result.stdout


def test_unroll_writes_a_formula_a_line(adamlab):
    lines = written(adamlab, "unroll", "optax.adam", "--steps", "2").splitlines()
    assert lines[:3] == ["m₁ = (1 - β₁)·g₁", "v₁ = (1 - β₂)·g₁²", "u₁ = -η·m₁/((1 - β₁)·(√(v₁/(1 - β₂)) + ε))"]
    assert lines[4] == "v₂ = (1 - β₂)·(β₂·g₁² + g₂²)"
    assert lines[6:] == ["  where 0 < β₁ < 1, 0 < β₂ < 1, η, ε > 0"]


def test_unroll_takes_three_steps_unless_told(adamlab):
    assert written(adamlab, "unroll", "optax.sgd").splitlines()[:-1] == [f"u{t} = -η·g{t}" for t in "₁₂₃"]


def test_an_update_that_is_a_state_has_its_line_too(adamlab):
    lines = written(adamlab, "unroll", "optax.rmsprop(lr, decay=d, momentum=mu)", "--steps", "2").splitlines()
    assert [line.partition(" = ")[0] for line in lines[:-1]] == ["v₁", "z₁", "u₁", "v₂", "z₂", "u₂"]
    assert (lines[2], lines[5]) == ("u₁ = z₁", "u₂ = z₂")


def test_numbers_are_fixed_or_opened(adamlab):
    fixed = written(adamlab, "unroll", "optax.adam", "--steps", "1", "--set", "b1=0", "--set", "b2=0.999")
    assert fixed.splitlines()[0] == "v₁ = 0.001·g₁²"
    assert "β" not in fixed
    opened = written(adamlab, "unroll", "optax.adam", "--steps", "1", "--symbol", "eps_root")
    assert "√(v₁/(1 - β₂) + ε_root)" in opened
    assert "ε_root" not in written(adamlab, "unroll", "optax.adam", "--steps", "1")


def test_an_array_is_written_entry_by_entry(adamlab):
    lines = written(adamlab, "unroll", "optax.sgd", "--steps", "1", "--shape", "2,2").splitlines()
    assert {line.partition(" = ")[0] for line in lines if line.startswith("u")} == {
        f"u_(1,{i},{j})" for i in (0, 1) for j in (0, 1)
    }


def test_superscripts_are_for_whoever_derives_by_hand(adamlab):
    lines = written(adamlab, "closed-form", "optax.adam", "--superscripts").splitlines()
    assert lines[1] == "v^t = (1 - β₂)·Σ_{i=1}^{t} β₂^(t-i)·(g^i)²"
    latex = written(adamlab, "unroll", "optax.sgd", "--steps", "1", "--format", "latex", "--superscripts")
    assert latex == "u^{1} = -\\eta g^{1}\n"


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("command", [["unroll", "optax.adam"], ["closed-form", "optax.adam"], ["prove", SPEC, TWIN]])
def test_each_command_writes_each_format(adamlab, command):
    outputs = {form: written(adamlab, *command, "--format", form) for form in ("text", "latex", "mathml", "json")}
    assert " = " in outputs["text"]
    assert r"\beta_{2}" in outputs["latex"]
    math = ElementTree.fromstring(outputs["mathml"])
    assert math.tag == "{http://www.w3.org/1998/Math/MathML}math"
    data = json.loads(outputs["json"])
    assert len(data["equations"]) == max(1, len(math.findall(".//{*}mtr")))
    for equation in data["equations"]:
        assert equation["latex"].replace("=", "&=", 1) in outputs["latex"] or equation["latex"] in outputs["latex"]


def test_json_is_what_python_gives(adamlab):
    data = json.loads(written(adamlab, "closed-form", "optax.rmsprop", "--format", "json"))
    assert data == json.loads(json.dumps(al.closed_form("optax.rmsprop").to_dict()))


def test_a_closed_form_goes_to_its_limit(adamlab):
    update = written(adamlab, "closed-form", "optax.adam(lr, b1=0.0, eps=0.0)", "--limit", "b2=1").splitlines()[1]
    assert update == str(al.closed_form("optax.adam(lr, b1=0.0, eps=0.0)").limit(b2=1)).splitlines()[1]
    assert "β" not in update


def test_a_proof_is_0_and_says_so(adamlab):
    assert written(adamlab, "prove", SPEC, TWIN).startswith("proved: the closed forms")
    adagrad = "optax.adagrad(lr, initial_accumulator_value=0.0, eps=0.0)"
    falling = "optax.adam(inverse_sqrt(lr), b1=0.0, b2=b2, eps=0.0)"
    assert written(adamlab, "prove", falling, adagrad, "--limit", "b2=1").startswith("proved: as β₂ → 1")
    assert written(adamlab, "prove", "optax.adam(lr)", TWIN, "--given", "b1=0").startswith("proved: ")


@pytest.mark.parametrize(
    ("form", "begins"), [("text", "refuted: "), ("latex", "% refuted: "), ("mathml", "<!-- refuted: ")]
)
def test_a_refutation_is_1_and_says_so(adamlab, form, begins):
    refuted = adamlab("prove", "optax.sgd(0.1)", "optax.sgd(0.2)", "--format", form)
    assert (refuted.returncode, refuted.stderr) == (1, "")
    assert refuted.stdout.startswith(begins)
    if form == "mathml":
        ElementTree.fromstring(refuted.stdout)


def test_a_refutation_in_json_has_its_counterexample(adamlab):
    refuted = adamlab("prove", "optax.sgd(lr)", "optax.sgd(lr, momentum=0.5)", "--format", "json")
    assert refuted.returncode == 1
    data = json.loads(refuted.stdout)
    assert (data["status"], data["horizon"]) == ("refuted", 2)
    assert data["counterexample"]["left"] != data["counterexample"]["right"]


def test_what_is_not_known_is_1_too(adamlab):
    unknown = adamlab("prove", "optax.adam(lr)", "optax.sgd(lr)", "--limit", "t=oo")
    assert unknown.returncode == 1
    assert unknown.stdout.startswith("unknown: ")


def test_a_relation_is_proved_by_its_name(adamlab):
    shown = written(adamlab, "prove", "adam-to-rmsprop").splitlines()
    assert shown[0] == f"{RELATIONS['adam-to-rmsprop'].statement} (algebra)"
    assert shown[2].startswith("proved: ")
    data = json.loads(written(adamlab, "prove", "adam-to-rmsprop", "--format", "json"))
    assert (data["status"], data["left"].partition("(")[0]) == ("proved", "optax.adam")


@pytest.fixture
def few(monkeypatch):
    """A registry of a few relations, one of them to be refuted."""
    kept = {name: RELATIONS[name] for name in ("adam-to-rmsprop", "heavy-ball-to-sgd", "qhadam-to-nadam")}
    for module in (relations, shown_relations):
        monkeypatch.setattr(module, "RELATIONS", kept)
    return kept


def test_relations_are_a_line_each(adamlab, few):
    lines = written(adamlab, "relations").splitlines()
    assert lines[0].endswith("on the code of optax:")
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["refuted" if name == "qhadam-to-nadam" else "proved", name] for name in few
    ]
    assert few["qhadam-to-nadam"].statement in lines[3]
    assert [line.split()[1] for line in lines[4:-1]] == list(UNDECIDED)
    assert lines[-1] == "3 of 3 verdicts are as expected"


def test_relations_are_decided_on_the_library_that_is_asked_for(adamlab, few, monkeypatch):
    @wraps(al.adam)
    def doubled(learning_rate, **hyper):
        return al.adam(2 * learning_rate, **hyper)

    monkeypatch.setitem(RULES, "adam", doubled)
    statuses = []
    for library in ("optax", "adamlab"):
        data = json.loads(adamlab("relations", "--library", library, "--format", "json").stdout)
        statuses.append({row["name"]: row["status"] for row in data["relations"]}["adam-to-rmsprop"])
    assert statuses == ["proved", "refuted"]


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("are_expected", [(True, True), (True, False), (False, True)])
def test_a_row_of_a_framework_that_was_not_expected_is_1(adamlab, monkeypatch, form, are_expected):
    row = {"status": "proved", "left": "torch.SGD(lr)", "right": "optax.sgd(lr)", "difference": "", "expected": "it"}
    rows = [row | {"as_expected": as_expected} for as_expected in are_expected]
    monkeypatch.setattr(shown_relations, "verdicts_on", lambda library: rows)
    monkeypatch.setattr(shown_relations, "unmatched", lambda library: [])
    result = adamlab("relations", "--library", "torch", "--format", form)
    assert result.returncode == int(not all(are_expected))
    assert result.stdout.count("it was expected") == (are_expected.count(False) if form == "table" else 0)


@pytest.mark.parametrize("dashes", ["-", "--", "---", "----"])
def test_the_words_of_a_verdict_are_a_comment_in_mathml_whatever_they_are(capsys, dashes):
    verdict = al.prove("optax.sgd(0.1)", "optax.sgd(0.2)")
    say_verdict(replace(verdict, explanation=f"left {dashes} right{dashes}"), "mathml")
    assert ElementTree.fromstring(capsys.readouterr().out).tag.endswith("math")


def test_relations_as_json(adamlab, few):
    data = json.loads(written(adamlab, "relations", "--format", "json"))
    assert [row["name"] for row in data["relations"]] == list(few)
    assert all(row["as_expected"] for row in data["relations"])
    assert data["undecided"] == UNDECIDED


def test_a_verdict_that_was_not_expected_is_1_and_marked(adamlab, few, monkeypatch):
    monkeypatch.setitem(few, "heavy-ball-to-sgd", replace(few["heavy-ball-to-sgd"], holds=False))
    result = adamlab("relations")
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if "heavy-ball-to-sgd" in line]
    assert line.endswith("; refuted was expected")
    assert "2 of 3 verdicts are as expected" in result.stdout


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize(("holds", "expected"), [(True, "proved"), (False, "refuted")])
def test_a_relation_that_is_not_decided_is_1_too(adamlab, few, monkeypatch, holds, expected):
    """Whatever was expected of it."""
    undecided = {"left": "optax.sgd(learning_rate, momentum=0.0)", "right": optax.noisy_sgd, "holds": holds}
    monkeypatch.setitem(few, "heavy-ball-to-sgd", replace(few["heavy-ball-to-sgd"], **undecided))
    result = adamlab("relations")
    (line,) = [line for line in result.stdout.splitlines() if "heavy-ball-to-sgd" in line]
    assert line.startswith("unknown")
    assert line.endswith(f"; {expected} was expected")
    assert "2 of 3 verdicts are as expected" in result.stdout
    assert result.returncode == 1
    assert adamlab("prove", "heavy-ball-to-sgd").returncode == 1


def test_relations_are_drawn(adamlab, few, tmp_path):
    written(adamlab, "relations", "--figure", str(tmp_path / "family.svg"))
    assert (tmp_path / "family.svg").read_text().startswith("<?xml")
    assert len(few) == 3


BAD = {
    "an optimizer that is not there": (["unroll", "optax.adm"], 'there is no optimizer "optax.adm"; did you mean'),
    "no spec": (["unroll", "optax.adam(open(1))"], 'there is no schedule "open"'),
    "no steps": (["unroll", "optax.adam", "--steps", "0"], "steps must be a whole number of at least 1, not 0"),
    "steps in words": (["unroll", "optax.adam", "--steps", "two"], "Invalid value for '--steps'"),
    "a number that is not there": (["unroll", "optax.adam", "--set", "b9=1"], "no argument 'b9'; did you mean \"b2\"?"),
    "half a number": (["unroll", "optax.adam", "--set", "b1"], "--set: b1: expected NAME=NUMBER"),
    "a number in words": (["unroll", "optax.adam", "--set", "b1=high"], "b1 must be a number, not 'high'"),
    "a name that is a number": (["unroll", "optax.adam", "--set", "0=1"], "no argument '0'"),
    "a symbol that is not there": (["unroll", "optax.adam", "--symbol", "b3"], "no number 'b3'; did you mean"),
    "a flag as a symbol": (["closed-form", "optax.adam", "--symbol", "nesterov"], "no number 'nesterov'"),
    "a shape in words": (["unroll", "optax.adam", "--shape", "2,a"], "--shape must be whole numbers"),
    "an empty shape": (["unroll", "optax.adam", "--shape", "2,0"], "--shape must be whole numbers"),
    "a format": (["unroll", "optax.adam", "--format", "tex"], "there is no format 'tex'; did you mean \"text\"?"),
    "superscripts in JSON": (["unroll", "optax.sgd", "--superscripts", "--format", "json"], "--superscripts is for"),
    "random numbers": (["unroll", "optax.noisy_sgd(0.1, 1.0, 0.5, 3)"], "cannot read the primitive"),
    "a state with an array": (["closed-form", "optax.adafactor"], "it has no closed form"),
    "a limit at a half": (["closed-form", "optax.adam", "--limit", "b2=0.5"], "limits go to 0, 1 or oo, not 0.5"),
    "a limit of nothing": (["closed-form", "optax.adam", "--limit", "b2"], "--limit: b2: expected NAME=NUMBER"),
    "another format": (["closed-form", "optax.adam", "--format", "html"], "there is no format 'html'"),
    "a proof's limit at a half": (["prove", SPEC, TWIN, "--limit", "b2=0.5"], "b2 must be 0, 1 or oo, not 0.5"),
    "a limit in code": (["prove", SPEC, TWIN, "--limit", "b2=exit()"], "b2 must be 0, 1 or oo, not 'exit()'"),
    "a limit of no side": (["prove", SPEC, TWIN, "--limit", "b3=1"], "neither side has a number 'b3'; did you mean"),
    "half a step": (["prove", SPEC, TWIN, "--given", "t=0.5"], "t must be given as a whole number from 1 to 32"),
    "a state of no side": (["prove", SPEC, TWIN, "--given", "nux=rising"], "neither side has a state 'nux'"),
    "a second spec": (["prove", SPEC, "optax.rmsporp"], 'did you mean "optax.rmsprop"?'),
    "a proof's format": (["prove", SPEC, TWIN, "--format", "yaml"], "there is no format 'yaml'"),
    "a relation": (
        ["prove", "adam-to-rmspro"],
        'there is no relation "adam-to-rmspro"; did you mean "adam-to-rmsprop"?',
    ),
    "one spec alone": (["prove", "optax.adam"], "or give two specs"),
    "a relation's limit": (["prove", "adam-to-rmsprop", "--limit", "b2=1"], "a statement with its own numbers"),
    "what is not decided": (["prove", "adam-diverges-online"], "cannot be decided: Reddi et al. 2018"),
    "a relation's format": (["prove", "adam-to-rmsprop", "--format", "yaml"], "there is no format 'yaml'"),
    "a table's format": (["relations", "--format", "latex"], "there is no format 'latex'; valid here: table, json"),
    "a library": (["relations", "--library", "flax"], "there is no library 'flax'"),
    "nothing to prove": (["prove"], "Missing argument 'LEFT'"),
}


def test_bad_input_is_told_in_one_message(adamlab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    results = {case: adamlab(*arguments) for case, (arguments, _) in BAD.items()}
    assert {case for case, result in results.items() if (result.returncode, result.stdout) != (2, "")} == set()
    errors = {case: result.stderr for case, result in results.items()}
    unsaid = [(error, BAD[case][1]) for case, error in errors.items() if BAD[case][1] not in error]
    assert unsaid == []
    assert [error for error in errors.values() if "Traceback" in error] == []


def test_a_figure_that_cannot_be_written_is_told(adamlab, few, tmp_path):
    refused = adamlab("relations", "--figure", str(tmp_path / "family.xyz"))
    assert refused.returncode == 2
    assert "Format 'xyz' is not supported" in refused.stderr
    assert few
