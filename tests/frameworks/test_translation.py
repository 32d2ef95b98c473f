"""The table of translations, each row decided on the code that is installed; translations in every direction."""

import ast
import json
import os
import re
from typing import Any

import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.specs import parse
from adamlab.symbolic.proving.proofs import prove
from adamlab.translation.pasted import call_of
from adamlab.translation.table import LIBRARIES, NEAR, SAME, rows
from adamlab.translation.targets import nearest_targets
from tests.pages import INSIDE, blocks

os.environ.setdefault("KERAS_BACKEND", "jax")
torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install keras")

ALIKE = [(row.name, left, right) for row in SAME for left, *others in [[*row.forms.values()]] for right in others]
APART = [(row.name, *row.forms.values()) for row in NEAR]


def slow(*values: str) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left", "right"), ALIKE)
def test_a_row_of_the_same_is_proved_for_every_t(name, left, right):
    verdict = prove(left, right)
    assert verdict.holds, f"{name} with PyTorch {torch.__version__}, Keras {keras.__version__}: {verdict}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left", "right"), APART)
def test_a_row_of_the_near_is_refuted(name, left, right):
    verdict = prove(left, right)
    assert verdict.status == "refuted", f"{name} with PyTorch {torch.__version__}, Keras {keras.__version__}: {verdict}"


@pytest.mark.parametrize(
    ("left", "right", "status"),
    [
        ("torch.Adam(lr, beta1=b1, beta2=b2, eps=eps)", "optax.adam(lr, b1=b1, b2=b2, eps=eps)", "proved"),
        ("torch.RMSprop(lr, alpha=a, eps=e)", "optax.rmsprop(lr, decay=a, eps=e)", "refuted"),
        slow("torch.RMSprop(lr, alpha=a, eps=e)", "optax.rmsprop(lr, decay=a, eps=e, eps_in_sqrt=false)", "proved"),
        slow("torch.Adam(lr, beta1=b, beta2=c, eps=0.0)", "keras.Adam(lr, beta_1=b, beta_2=c, epsilon=0.0)", "proved"),
    ],
)
def test_frameworks_are_decided_like_any_optimizer(left, right, status):
    verdict = al.prove(left, right)
    assert (verdict.status, verdict.horizon if status == "proved" else None) == (status, None)


def test_every_library_can_be_translated_to_every_other():
    for source in LIBRARIES:
        for target in LIBRARIES:
            assert source == target or any(rows(source, target))


@pytest.mark.one_case_in(30)
@pytest.mark.parametrize(
    ("call", "to", "code"),
    [
        ("adamlab.sgd(0.1)", "optax", "optax.sgd(0.1)"),
        (
            "torch.RMSprop(lr=0.01, alpha=0.99)",
            "optax",
            "optax.rmsprop(0.01, decay=0.99, eps=1e-08, eps_in_sqrt=False)",
        ),
        (
            "torch.optim.Adam(model.parameters(), lr=3e-4, weight_decay=0.01)",
            "optax",
            "optax.chain(optax.add_decayed_weights(0.01), optax.adam(0.0003, b1=0.9, b2=0.999, eps=1e-08))",
        ),
        (
            "optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, nesterov=True, foreach=False)",
            "keras",
            "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)",
        ),
        (
            "optax.chain(optax.scale(-1.0), optax.add_decayed_weights(0.1), optax.adam(0.1))",
            "torch",
            "torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.9, 0.999), eps=1e-08, maximize=True, "
            "weight_decay=0.1)",
        ),
        ("keras.optimizers.RMSprop(learning_rate=0.1)", "adamlab", "adamlab.rmsprop(0.1, decay=0.9, eps=1e-07)"),
        ("optax.chain(optax.sgd(1))", "keras", "keras.optimizers.SGD(learning_rate=1.0)"),
        (
            "optax.adam(1, b1=0, b2=1-1e-3)",
            "torch",
            "torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.0, 0.999), eps=1e-08)",
        ),
        ("optax.sgd(0.1, momentum=0.0, nesterov=true)", "torch", "torch.optim.SGD(model.parameters(), lr=0.1)"),
        ("optax.sgd(momentum=0.0, nesterov=true)", "torch", "torch.optim.SGD(model.parameters(), lr=learning_rate)"),
        (
            "keras.SGD(0.1, clipvalue=0.5, nesterov=true, momentum=0.9)",
            "optax",
            "optax.chain(optax.clip(0.5), optax.sgd(0.1, momentum=0.9, nesterov=True))",
        ),
        (
            "optax.chain(optax.clip(0.5), optax.trace(0.9), optax.add_decayed_weights(0.1), "
            "optax.scale_by_learning_rate(0.1))",
            "keras",
            "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.1, clipvalue=0.5)",
        ),
        (
            "keras.RMSprop(0.1, weight_decay=0.01, clipvalue=1.0)",
            "adamlab",
            "optax.chain(optax.clip(1.0), adamlab.scale_by_rms(0.9, eps=1e-07), adamlab.add_decayed_weights(0.01), "
            "adamlab.scale_by_learning_rate(0.1))",
        ),
        ("optax.nadam(0.1)", "adamlab", "adamlab.nadam(0.1)"),
        ("optax.adam(0.1, eps_root=1e-8)", "adamlab", "adamlab.adam(0.1, eps_root=1e-08)"),
        (
            "optax.chain(optax.clip(1.0), optax.sgd(0.1))",
            "adamlab",
            "optax.chain(optax.clip(1.0), adamlab.sgd(0.1))",
        ),
        (
            "torch.optim.SGD(p, lr=.1, weight_decay=.01)",
            "keras",
            "keras.optimizers.SGD(learning_rate=0.1, weight_decay=0.01)",
        ),
        (
            "keras.optimizers.SGD(0.1, momentum=.9, weight_decay=.01)",
            "optax",
            "optax.chain(optax.trace(0.9), optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(0.1))",
        ),
        (
            "keras.SGD(0.1, momentum=0.9, global_clipnorm=1.0)",
            "optax",
            "optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9))",
        ),
        (
            "optax.chain(optax.clip_by_global_norm(c), optax.rmsprop(0.1))",
            "keras",
            "keras.optimizers.RMSprop(learning_rate=0.1, rho=0.9, epsilon=1e-08, global_clipnorm=c)",
        ),
        (
            "torch.Adam(lr=0.1, eps=0)",
            "keras",
            "keras.optimizers.Adam(learning_rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=0.0)",
        ),
    ],
)
def test_a_translation_is_proved(call, to, code):
    translation = al.translate(call, to=to)
    assert translation.code == code
    assert translation.holds
    assert translation.instead == ""


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("optax.chain(optax.add_decayed_weights(0.1), optax.scale(-1.0), optax.sgd(0.1))", "lr=0.1"),
        slow("optax.chain(optax.scale(-1.0), optax.scale(-1.0), optax.sgd(0.1))", "lr=0.1"),
        slow("optax.chain(optax.scale(-1.0), optax.add_decayed_weights(0.1), optax.sgd(0.1))", "maximize=True"),
    ],
)
def test_the_order_and_the_number_of_links_count(source, code):
    translation = al.translate(source, to="torch")
    assert translation.code is not None
    assert translation.spec is not None
    assert code in translation.code
    assert translation.holds == al.prove(source, translation.spec).holds
    assert ("maximize" in translation.code) == (code != "lr=0.1")
    assert translation.holds or "add_decayed_weights(weight_decay=0.1), optax.scale" in translation.text()


@pytest.mark.slow
def test_the_conditions_of_a_proof_are_told():
    text = al.translate("optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0)", "keras").text()
    assert "proved" in text
    assert "no gradient is 0" in text


@pytest.mark.parametrize(
    ("call", "to", "words"),
    [
        slow("keras.AdamW(1e-3, amsgrad=True)", "torch", "weight_decay=0.004, amsgrad=True)"),
        slow("keras.Adam(0.1, weight_decay=.01)", "torch", "torch.optim.AdamW(model.parameters(), lr=0.1"),
        slow("torch.Adam(lr=0.1, weight_decay=0.01)", "keras", "no row with it: weight_decay=0.01."),
        slow("keras.SGD(0.1, gradient_accumulation_steps=2)", "optax", "not compared: optax.MultiSteps, which"),
        slow("optax.chain(optax.clip(1.0), optax.adam(0.1))", "torch", "no row with it: optax.clip(max_delta=1.0)."),
        slow("optax.chain(optax.clip(1.0), optax.adam(0.1))", "torch", "like optax.clip(max_delta=1.0), and not"),
        slow("keras.Adam(0.1, clipvalue=1.0)", "torch", "no row with it: clipvalue=1.0."),
        ("optax.adamw(0.1, mask='!*bias')", "torch", "not compared: a mask goes by the paths of parameters"),
        ("torch.Adafactor", "optax", "Adafactor goes by the rows and columns of a matrix"),
        ("torch.Muon", "keras", "Keras's is keras.optimizers.Muon, not compared"),
        ("optax.sgd(-0.1)", "torch", "nothing to paste for PyTorch:\n  PyTorch does not take torch.SGD(lr=-0.1)"),
    ],
)
def test_nothing_is_said_of_what_was_not_decided(call, to, words):
    translation = al.translate(call, to=to)
    assert words in translation.text()
    assert not translation.holds


def test_a_name_is_taken_for_parameters_and_that_is_told():
    text = al.translate("torch.optim.SGD(groups, lr=0.1)", to="optax").text()
    assert "groups was taken for parameters that all have these settings" in text
    assert "translated one by one" in text
    for given in (
        "net.parameters()",
        "[{'params': a}, {'params': b}]",
        "[p for p in m.parameters() if p.requires_grad]",
    ):
        assert call_of(f"torch.optim.SGD({given}, lr=0.1)").remarks == ()


def test_each_part_that_the_other_library_can_say_is_kept():
    source = parse("optax.chain(optax.clip(1.0), optax.add_decayed_weights(0.1), optax.adam(0.1))")
    target = nearest_targets(source, "torch")[0]
    assert target.call.arguments["weight_decay"] == 0.1
    assert [part.words for part in target.lost] == ["optax.clip(max_delta=1.0)"]
    nearest, *_ = nearest_targets(parse("torch.SGD(0.1, weight_decay=0.1, maximize=true, dampening=0.5)"), "optax")
    assert str(nearest.call).count("optax.add_decayed_weights(weight_decay=0.1)") == 1
    assert [part.words for part in nearest.lost] == ["dampening=0.5"]


@pytest.mark.slow
def test_what_is_left_out_of_a_proof_is_told():
    translation = al.translate("optax.adam(0.1, mu_dtype='bfloat16')", to="torch")
    assert translation.holds
    assert translation.differences == ('left out, which changes no step in exact arithmetic: mu_dtype="bfloat16".',)


@pytest.mark.slow
def test_a_proof_for_all_numbers_does_where_those_written_in_have_none():
    translation = al.translate("keras.Lamb(0.1)", to="optax")
    assert translation.code == "optax.lamb(0.1, b1=0.9, b2=0.999, eps=1e-07)"
    assert translation.holds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "code", "after"),
    [
        ("torch", "torch.optim.SGD(model.parameters(), lr=0.1)", 'group["lr"] = float(schedule(t))'),
        ("keras", "keras.optimizers.SGD(learning_rate=0.1)", "optimizer.learning_rate = float(schedule(t))"),
    ],
)
def test_a_schedule_is_the_first_rate_and_what_to_do_after_a_step(to, code, after):
    translation = al.translate("optax.sgd(cosine(0.1, 90))", to=to)
    assert translation.code == code
    assert translation.holds
    assert "schedule = adamlab.schedules.cosine(0.1, steps=90), do after the t-th step" in translation.text()
    assert after in translation.text()


@pytest.mark.slow
def test_a_rate_inside_of_the_momentum_is_told():
    assert "Keras has it inside of the momentum" in al.translate("torch.SGD(lr=0.1, momentum=0.9)", "keras").text()
    assert al.translate("torch.SGD(lr=0.1, momentum=0.9)", "optax").differences == ()


@pytest.mark.parametrize(
    ("call", "to", "words"),
    [
        slow("torch.NAdam", "optax", "known is\noptax.nadam(0.002, b1=0.9, b2=0.999, eps=1e-08)\nrefuted: "),
        slow(
            "torch.NAdam",
            "optax",
            'PyTorch\'s momentum grows .* 0.48 at step 100.*adamlab.like_torch\\("NAdam"\\)',
        ),
        (
            "torch.SGD(lr=0.1, momentum=0.9, dampening=0.5)",
            "optax",
            "the table has no row with it: dampening=0.5",
        ),
        ("keras.optimizers.Ftrl()", "optax", "no row for this and Optax.\nthe very steps: adamlab.from_keras"),
        slow("keras.Adam(0.1, clipnorm=1.0)", "torch", "no row with it: clipnorm=1.0.*ε/√"),
    ],
)
def test_what_no_optimizer_does_is_told(call, to, words):
    translation = al.translate(call, to=to)
    assert re.search(words.replace("(0.", r"\(0.").replace("08)", r"08\)"), translation.text(), re.DOTALL)
    assert not translation.holds


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("torch.optim.AdamW(p, betas=(0.9, 0.98), lr=args.lr)", "torch.AdamW(lr=lr, beta1=0.9, beta2=0.98)"),
        (
            "torch.optim.Adam(p, lr=torch.tensor(0.1, dtype=t.float64), betas=(torch.as_tensor(b), np.float32(0.9)))",
            "torch.Adam(lr=0.1, beta1=b, beta2=0.9)",
        ),
        ("optax.sgd(jnp.array(0.1), momentum=float(args.m))", "optax.sgd(learning_rate=0.1, momentum=m)"),
        ("optim.SGD([{'params': a}], lr=1e-2, momentum=m)", "torch.SGD(lr=0.01, momentum=m)"),
        ("tf.keras.optimizers.Adam(1e-3, name='mine')", "keras.Adam(learning_rate=0.001)"),
        ("optax.adam(learning_rate=0.1)", "optax.adam(learning_rate=0.1)"),
        ("torch.optim.Adam", "torch.Adam()"),
        ("return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)", "torch.Adam(lr=lr)"),
        ("tx = optax.adam(1e-3)", "optax.adam(learning_rate=0.001)"),
        ("    torch.optim.Adam(\n        net.parameters(),\n        lr=3e-4,\n    )\n", "torch.Adam(lr=0.0003)"),
        ("net = Net()\nself.opt = torch.optim.Adam(net.parameters(), lr=cfg['lr'])", "torch.Adam(lr=lr)"),
        ("optax.adamw(cfg.lr, weight_decay=cfg.wd)", "optax.adamw(learning_rate=lr, weight_decay=wd)"),
        ("optax.adamw(cfg.lr, weight_decay=old.lr)", "optax.adamw(learning_rate=lr, weight_decay=old_lr)"),
        ("torch.optim.Adam(p, betas=args.betas)", "torch.Adam(beta1=beta1, beta2=beta2)"),
    ],
)
def test_a_whole_call_is_parsed(text, spec):
    assert str(call_of(text).call) == spec


@pytest.mark.parametrize(
    ("call", "to", "message"),
    [
        ("torch.optim.Adam(m(), lr=0.1, beta=3)", "optax", "torch.Adam has no argument 'beta'"),
        (
            "torch.optim.Adam([{'params': a, 'lr': 0.1}])",
            "optax",
            "a group of parameters has lr: translate each",
        ),
        *(
            (f"torch.optim.SGD({groups}, lr=0.01)", "optax", "a group of parameters has (lr|\\*\\*): translate each")
            for groups in (
                "[dict(params=a, lr=0.1), dict(params=b)]",
                "({'params': a, 'lr': 0.1}, {'params': b})",
                "[{'params': p, 'lr': s} for p, s in groups]",
                "[{'params': a, **more}]",
                "[dict(more, params=a)]",
            )
        ),
        ("torch.optim.SGD(m(), lr=[0.1, 0.2])", "optax", r"SGD: lr is a single value, not \[0.1, 0.2\]"),
        ("torch.optim.SGD(m(), 0.1, lr=0.2)", "optax", "SGD: lr is given twice"),
        ("torch.optim.Adam(m(), betas=(0.9, 0.99, 0.999))", "optax", "betas must be 2 numbers, beta1, beta2; not"),
        ("torch.optim.Adam(m(), betas=0.9)", "optax", "betas must be 2 numbers, beta1, beta2; not 0.9"),
        ("torch.SGD(lr=0.1, nesterov=true)", "optax", "torch.SGD: Nesterov momentum requires a momentum"),
        ("keras.AdamW(weight_decay=none)", "adamlab", "keras.AdamW: Argument `weight_decay` must be a float"),
        ("torch.optim.Adam(m(), **given)", "optax", "write the arguments of \\* and \\*\\* out"),
        ("torch.optim.LBFGS(m())", "optax", "torch.LBFGS cannot be read: it asks for the loss"),
        ("torch.optim.Adan(m())", "optax", 'no optimizer "torch.Adan"'),
        (
            "keras.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))",
            "optax",
            "keras has none in specs; write Optax's",
        ),
        ("torch.Adam", "pytorch", "no library 'pytorch' to translate to; "),
        ("optax.adam(0.1)", "optax", "optax.adam is Optax's already"),
        (
            "__import__('os').system('x')",
            "optax",
            "does not start with the name of an|cannot stand in",
        ),
    ],
)
def test_mistakes_are_told_in_words(call, to, message):
    with pytest.raises(InputError, match=message):
        al.translate(call, to=to)


def test_the_command_prints_the_line_and_the_verdict(adamlab):
    done = adamlab("translate", "torch.RMSprop(lr=0.01, alpha=0.99)", "--to", "optax")
    assert done.returncode == 0
    assert done.stdout == (
        "optax.rmsprop(0.01, decay=0.99, eps=1e-08, eps_in_sqrt=False)\n"
        "proved: the closed forms of the two updates are equal for every t\n"
        "  where t < 2³¹\n"
    )
    done = adamlab("translate", "torch.ASGD(lr=0.1)", "--to", "optax", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] is None


@pytest.mark.slow
def test_the_package_page_says_what_happens(capsys):
    names: dict[str, object] = {}
    for block in blocks(INSIDE, "py"):
        for line in ast.parse(block).body:
            exec(compile(ast.Module([line], []), "adamlab/README.md", "exec"), names)
            printed = capsys.readouterr().out.strip()
            if printed:
                assert f"# {printed}" in block.splitlines()[line.lineno - 1]
    assert "ours" in names
