"""PyTorch's optimizers read from its code take PyTorch's own steps, in float64; what is wrong is seen."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

import adamlab as al
from adamlab.errors import InputError
from adamlab.frameworks import FRAMEWORKS, pytorch
from adamlab.frameworks.branches import along_each_branch, holds
from adamlab.specs import parse
from tests.frameworks.paths import SHAPES, apart, paths_of, torch_path

pytestmark = pytest.mark.optimized(False)

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("Adadelta", {}, ""),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1, "maximize": True}, ""),
    ("Adafactor", {}, ""),
    ("Adagrad", {}, ""),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.3, "weight_decay": 0.1}, ""),
    ("Adam", {}, ""),
    ("Adam", {"betas": (0.8, 0.9), "amsgrad": True, "weight_decay": 0.1}, "beta1=0.8, beta2=0.9, amsgrad=true"),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}, ""),
    ("Adamax", {"weight_decay": 0.1}, ""),
    ("ASGD", {"lr": 0.1, "t0": 5.0, "lambd": 0.1}, ""),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}, ""),
    ("RAdam", {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1}, "lr=0.1, beta1=0.8, beta2=0.9"),
    ("RMSprop", {}, ""),
    ("RMSprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.1}, ""),
    ("Rprop", {"etas": (0.4, 1.3), "step_sizes": (1e-3, 2)}, "etaminus=0.4, etaplus=1.3, step_size_min=1e-3"),
    ("SGD", {"lr": 0.1, "dampening": 0.5}, ""),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True}, ""),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, ""),
]
"""Names of PyTorch's optimizers, arguments as PyTorch has them, and how a spec begins to write those that are pairs."""


def spec_of(name: str, arguments: dict[str, Any], pairs: str) -> str:
    written = pairs.split(", ") if pairs else []
    taken = {text.partition("=")[0] for text in written}
    known = {"step_sizes": [("step_size_max", 2)]}
    plain = [known.get(key, [(key, value)]) for key, value in arguments.items() if key not in ("betas", "etas")]
    written += [f"{key}={str(value).lower()}" for each in plain for key, value in each if key not in taken]
    return f"torch.{name}({', '.join(written)})"


SPECS = [spec_of(*case) for case in CASES]

WRONG = {
    "without the maximum": (6, "torch.Adam(beta1=0.8, beta2=0.9, weight_decay=0.1)"),
    "the decay coupled": (10, "torch.NAdam(lr=0.1, weight_decay=0.1)"),
    "not centered": (13, "torch.RMSprop(momentum=0.5, weight_decay=0.1)"),
    "dampened from the first step": (16, "torch.SGD(lr=0.1, momentum=0.9, weight_decay=0.1, maximize=true)"),
    "momentum of the heavy ball": (17, "torch.SGD(lr=0.1, momentum=0.9)"),
    "another default": (0, "torch.Adadelta(eps=1e-7)"),
}


def forgetful(transform: optax.GradientTransformation) -> optax.GradientTransformation:
    """The transformation with a state that stays as it began."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        return transform.update(updates, state, params)[0], state

    return optax.GradientTransformation(transform.init, update)


@pytest.fixture(scope="module")
def ours():
    with jax.enable_x64(True):
        transforms = {spec: parse(spec).build() for spec in [*SPECS, *(spec for _, spec in WRONG.values())]}
        return paths_of(transforms | {"forgetful": forgetful(transforms["torch.Adagrad()"])})


@pytest.fixture
def as_wide():
    """PyTorch with float64 as its default: it keeps numbers such as NAdam's product in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.one_case_in(2)
@pytest.mark.parametrize("case", range(len(CASES)), ids=SPECS)
def test_the_steps_are_pytorchs(ours, as_wide, case):
    name, arguments, _ = CASES[case]
    assert apart(torch_path(torch, name, arguments), ours[SPECS[case]]) <= 1e-12


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_flag_is_seen(ours, as_wide, wrong):
    case, spec = WRONG[wrong]
    assert apart(torch_path(torch, *CASES[case][:2]), ours[spec]) > 1e-9


def test_a_missing_state_is_seen(ours, as_wide):
    assert apart(torch_path(torch, "Adagrad", {}), ours["forgetful"]) > 1e-9


def test_muon_takes_pytorchs_steps(x64, monkeypatch):
    """Muon computes in bfloat16, in which the order of sums is seen: both sides leave that out."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    shapes = {"wide": (2, 3), "tall": (3, 2)}
    paths = paths_of({"Muon": al.from_torch(torch.optim.Muon)()}, shapes)
    assert apart(torch_path(torch, "Muon", {}, shapes), paths["Muon"]) <= 1e-12


def test_all_of_torch_optim_is_read_or_has_its_reason():
    every = {
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }
    assert every == {*pytorch.READ} | {*pytorch.UNREAD}
    assert {name for name, _, _ in CASES} | {"Muon"} == {*FRAMEWORKS["torch"]}


def test_numbers_can_be_swept(x64):
    """A swept number is traced, so that both sides of the code's `if` are run, and the one that holds is taken."""

    def last(momentum: Any) -> Any:
        tx = parse("torch.SGD(lr=0.1, momentum=m, dampening=0.5)").build({"m": momentum})
        w = jnp.ones(2)
        u, state = tx.update(w, tx.init(w), w)
        return tx.update(w, state, w + u)[0]

    swept = jax.vmap(last)(jnp.array([0.0, 0.9]))
    for number, value in zip((0.0, 0.9), swept, strict=True):
        assert jnp.allclose(value, last(number), rtol=1e-14, atol=0)
    assert jnp.allclose(swept[:, 0], jnp.array([-0.1, -0.1 * (0.9 + 0.5)]))


def test_the_rate_can_be_a_schedule(x64):
    tx = parse("torch.RMSprop(inverse_sqrt(0.1), alpha=0.0, eps=0.0)").build()
    w = jnp.array([2.0])
    state = tx.init(w)
    for t in range(1, 4):
        u, state = tx.update(w, state, w)
        assert jnp.allclose(u, -0.1 / jnp.sqrt(t))
    plain = parse("torch.SGD(inverse_sqrt(0.1))").build()
    u, _ = plain.update(w, plain.init(w)._replace(step=jnp.int32(3)), w)
    assert jnp.allclose(u, -0.1 / jnp.sqrt(4) * w)


@pytest.mark.parametrize(("name", "first"), [pytest.param("ASGD", -0.50005, marks=pytest.mark.slow), ("Rprop", -0.5)])
def test_a_schedule_sets_the_numbers_that_the_state_begins_with(name, first):
    tx = al.from_torch(getattr(torch.optim, name))(lr=lambda n: 0.5)
    w = jnp.ones(2)
    update: Any = tx.update(w, tx.init(w), w)[0]
    assert jnp.allclose(update, first)


def test_each_branch_of_traced_conditions_is_run():
    def classified(x: Any) -> Any:
        def run() -> Any:
            if holds(x > 0, "gt", x):
                return jnp.where(holds(x > 0, "gt", x), 1.0, jnp.nan) * (2.0 if holds(x > 10) else 1.0)
            return jnp.asarray(-1.0 if holds(x < -10) else 0.0)

        return along_each_branch(run)

    assert jax.vmap(classified)(jnp.array([20.0, 5.0, -5.0, -20.0])).tolist() == [2.0, 1.0, 0.0, -1.0]
    assert classified(5.0) == 1.0


class Halving(torch.optim.Optimizer):
    """Half the gradient at first, the mean with the one before afterwards: its state is made in the first step."""

    def __init__(self, params: Any, lr: float = 0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                before = self.state[p].get("before")
                p.sub_(p.grad / 2 if before is None else (p.grad + before) / 2, alpha=group["lr"])
                self.state[p]["before"] = p.grad.clone()


class Kept(torch.optim.Optimizer):
    """Gradient descent whose constructor keeps a number, and that takes whole steps of it."""

    def __init__(self, params: Any, lr: float = 0.1, scale: float = 1.0, times: int = 2):
        super().__init__(params, {"lr": lr, "scale": scale, "times": times})
        self.scale = scale

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                for _ in range(group["times"]):
                    p.sub_(p.grad * self.scale, alpha=group["lr"])


def test_a_number_that_the_constructor_keeps_is_swept():
    w = jnp.ones(2)

    def first(scale: Any) -> Any:
        tx = al.from_torch(Kept)(lr=0.1, scale=scale)
        return tx.update(w, tx.init(w), w)[0]

    assert jnp.allclose(jax.vmap(first)(jnp.array([1.0, 3.0]))[:, 0], jnp.array([-0.2, -0.6]))


def test_a_whole_default_is_a_number_unless_it_counts():
    assert parse("torch.Rprop(step_size_max=0.1)").arguments == {"step_size_max": 0.1}
    with pytest.raises(InputError, match="ns_steps must be a whole number"):
        parse("torch.Muon(ns_steps=0.5)")


def tensor(value: Any, dtype: Any = jnp.float32) -> Any:
    from adamlab.frameworks.torch_tensors import JaxTensor

    return JaxTensor(jnp.asarray(value, dtype))


SHARED = {
    "detached": lambda x: x.detach(),
    "contiguous": lambda x: x.contiguous(),
    "of its own type": lambda x: x.to(torch.float32).float(),
    "transposed": lambda x: x.T,
    "a view of a view": lambda x: x.mT.transpose(0, 1),
    "squeezed": lambda x: x.unsqueeze(0).squeeze(0),
}
"""Ways to a tensor that shares its values with another."""


@pytest.mark.parametrize("way", SHARED)
def test_views_share_their_values(way):
    ours, theirs = tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    for x in (ours, theirs):
        view = SHARED[way](x)
        view.sub_(torch.tensor([[0.5, 0.0]]))
        x.mul_(2.0)
        view.add_(1.0)
    assert ours.value.tolist() == theirs.tolist()


def test_copies_do_not_share_their_values():
    x = tensor(1.0)
    copies = [x.item(), x.clone(), x.bfloat16(), x.to(torch.float32, copy=True)]
    x.add_(1.0)
    assert [float(c.value) for c in copies] == [1.0] * 4
    narrow = tensor([1.0], jnp.bfloat16)
    narrow.bfloat16().add_(1.0)
    assert narrow.value.tolist() == [2.0]


def test_entries_are_set_by_masks_alone():
    x = tensor([1.0, 2.0])
    x[x > 1.5] = 7.0
    assert x.value.tolist() == [1.0, 7.0]
    with pytest.raises(NotImplementedError, match="assignment to entries that no mask of booleans says"):
        x[1] = 3.0


def test_an_optimizer_of_your_own_is_read():
    u = al.unroll(al.from_torch(Halving), steps=2)
    (lr,), (g1, g2) = u.hyper.values(), u.gradients
    assert [(update + lr * mean / 2).expand() for update, mean in zip(u.updates, (g1, g1 + g2), strict=True)] == [0, 0]


class TakesMore(torch.optim.SGD):
    """SGD whose step takes arguments that it does not need."""

    @torch.no_grad()
    def step(self, closure=None, *more, **named):
        """Step as SGD."""
        return super().step(closure)


def test_a_step_may_take_more_than_it_needs():
    transform = al.from_torch(TakesMore)(lr=0.5)
    update, _ = transform.update(jnp.ones(2), transform.init(jnp.ones(2)), jnp.ones(2))
    assert jax.tree.leaves(update)[0].tolist() == [-0.5, -0.5]


class NeedsClosure(torch.optim.Optimizer):
    """An optimizer that asks for the loss."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure):
        """Ask for the loss."""
        return closure()


class ThroughNumPy(torch.optim.Optimizer):
    """An optimizer whose step leaves PyTorch."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure=None):
        """Copy a gradient by way of NumPy."""
        for p in self.param_groups[0]["params"]:
            p.copy_(torch.from_numpy(p.grad.numpy()))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: parse("torch.Adan(0.1)"), 'no optimizer "torch.Adan" that is read; did you mean "Adam"'),
        (lambda: parse("torch.LBFGS(lr=0.1)"), "torch.LBFGS cannot be read: it asks for the loss and its gradient"),
        (lambda: parse("torch.RMSprop(decay=0.9)"), "torch.RMSprop has no argument 'decay'; did you mean"),
        (lambda: parse("torch.Adam(betas=0.9)"), "torch.Adam has no argument 'betas'; did you mean"),
        (lambda: al.from_torch(torch.optim.LBFGS), "cannot be read"),
        (lambda: al.from_torch(torch.optim.Adam, decay=0.9), "torch.Adam has no argument 'decay'"),
        (lambda: al.from_torch(optax.adam), "expected a class of PyTorch's optimizers, such as torch.optim.Adam"),
        (
            lambda: parse("torch.SGD(lr=0.1, nesterov=true)").build().init(jnp.ones(2)),
            "torch.SGD: Nesterov momentum requires a momentum and zero dampening",
        ),
        (lambda: parse("torch.Adam(lr=-0.1)").build().init(jnp.ones(2)), "torch.Adam: Invalid learning rate: -0.1"),
        (
            lambda: parse("torch.Adam").build().update(jnp.ones(2), parse("torch.Adam").build().init(jnp.ones(2))),
            "torch.Adam steps from the parameters: call update",
        ),
        (lambda: al.from_torch(torch.optim.Optimizer), "torch.Optimizer cannot be read: it has no step of its own"),
        (lambda: al.from_torch(NeedsClosure), "NeedsClosure cannot be read: its step needs closure"),
        (
            lambda: al.from_torch(ThroughNumPy)().init(jnp.ones(2)),
            "ThroughNumPy cannot be read: its code uses PyTorch's",
        ),
        (lambda: al.from_torch(torch.optim.Adam)(decay=0.9), "torch.Adam has no argument 'decay'; did you mean"),
        (lambda: al.from_torch(torch.optim.SGD)(*range(20)), "torch.SGD: too many positional arguments; it takes lr,"),
        (lambda: al.from_torch(torch.optim.Adam)(eps="1e-8"), "torch.Adam: eps must be a number, not '1e-8'"),
        (al.from_torch(torch.optim.Adam, lr=None), "torch.Adam: lr must be a number or a schedule, not None"),
        (lambda: al.from_torch(torch.optim.Adam)().init(jnp.ones(2, int)), "floating-point numbers; got int"),
        (lambda: al.from_torch(torch.optim.Adam)().init(jnp.ones(2, complex)), "floating-point numbers; got complex"),
    ],
)
def test_mistakes_are_told_in_words(use, message):
    with pytest.raises(InputError, match=message):
        use()


def test_shapes_are_those_of_the_tree():
    tx = al.from_torch(torch.optim.Adafactor)()
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    state: Any = tx.init(params)
    assert state.row_var["matrix"].shape == (3, 1)
    assert state.variance == {"matrix": None, "number": jnp.zeros(())}
