"""The online counterexamples to Adam, against the algorithms of the paper in plain Python."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import adamlab as al
from adamlab import problems
from tests.computing import computed

pytestmark = pytest.mark.optimized(False)

ONLINE = ["reddi", "reddi_cyclic", "reddi_stochastic"]


def paths(name, spec, steps, every, seeds=(0,), **options):
    """x at the recorded steps, a row for each seed."""
    problem = problems.get(name, **options)
    return computed(problem, spec, seeds=seeds, steps=steps, every=every, what=("params",))["params"][:, :, 0]


@cache
def paper(slope, x, steps, *, alpha, b1, b2, amsgrad):
    """Algorithms 1 and 2 of the paper, with α/√t, on the interval [−1, 1]; the last x."""
    m = v = v_max = 0.0
    for t in range(1, steps + 1):
        g = slope(t)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        v_max = max(v_max, v) if amsgrad else v
        x = min(1.0, max(-1.0, x - alpha / t**0.5 * m / v_max**0.5))
    return x


def theorem(t):
    return 3.0 if t % 3 == 1 else -1.0


def cycle(t):
    return 1010.0 if t % 101 == 1 else -10.0


@pytest.mark.parametrize(("name", "slope", "length"), [("reddi", theorem, 3), ("reddi_cyclic", cycle, 101)])
def test_slopes_are_those_of_the_paper_and_the_objective_is_their_mean(dtype, name, slope, length):
    problem = problems.get(name)
    assert problem.sample is not None
    drawn = [problem.sample(jax.random.key(0), t) for t in range(1, 2 * length + 1)]
    assert {drawn_value.dtype for drawn_value in drawn} == {jnp.dtype(dtype)}
    assert [float(drawn_value) for drawn_value in drawn] == [slope(t) for t in range(1, 2 * length + 1)]
    x = jnp.array([0.25])
    mean = np.mean([float(problem.loss(x, drawn_value)) for drawn_value in drawn])
    assert float(problem.objective(x)) == pytest.approx(mean, rel=1e-5)
    assert float(jax.grad(problem.loss)(x, drawn[0])[0]) == slope(1)


def test_stochastic_slopes_are_steep_in_one_of_a_hundred():
    problem, many = problems.get("reddi_stochastic"), 500_000
    assert problem.sample is not None
    slopes = np.asarray(jax.vmap(problem.sample, (0, None))(jax.random.split(jax.random.key(0), many), 1))
    assert set(slopes.tolist()) == {1010.0, -10.0}
    assert abs((slopes > 0).sum() - 0.01 * many) < 5 * np.sqrt(0.01 * 0.99 * many)
    assert float(problem.objective(jnp.array([1.0]))) == pytest.approx(0.01 * 1010 - 0.99 * 10, rel=1e-5)


@pytest.mark.parametrize("name", ONLINE)
def test_the_least_value_is_at_minus_one(x64, name):
    problem = problems.get(name)
    values = [float(problem.objective(jnp.array([x]))) for x in np.linspace(-1, 1, 21)]
    assert problem.minima == ((-1.0,),)
    assert min(values) == values[0] == problem.minimum


@pytest.mark.one_case_in(6)
@pytest.mark.parametrize("name", ONLINE)
def test_runs_start_inside_the_interval_and_stay_there(name, dtype):
    path = paths(name, "optax.sgd(3.0)", 30, 1, seeds=range(8))
    assert (np.abs(path) <= 1).all()
    assert (np.abs(path[:, 1:]) == 1).any()  # steps of 3 and more would leave it
    assert len(set(path[:, 0])) > 1
    assert path.dtype == dtype
    assert paths(name, "optax.sgd(3.0)", 1, 1, spread=0.0)[0, 0] == (1 if name == "reddi" else 0)


def lengths(short, long):
    """Runs of both libraries: a short one in the gate, and one as long as the paper's in the slow leg."""
    return pytest.mark.parametrize(
        ("library", *short),
        [
            *((library, *short.values()) for library in ("optax", "adamlab")),
            *(pytest.param(library, *long.values(), marks=pytest.mark.slow) for library in ("optax", "adamlab")),
        ],
    )


@pytest.mark.one_case_in(2)
@lengths(
    {"steps": 10_001, "worst": 0.9986, "best": -0.998, "within": 1e-3},
    {"steps": 200_000, "worst": 0.9997, "best": -0.9996, "within": 5e-5},
)
def test_theorem_1_adam_goes_to_the_worst_point_and_amsgrad_to_the_best(library, steps, worst, best, within):
    # Adam with β₁ = 0 and no bias correction is RMSProp; β₂ = 1/(1 + C²) = 0.1 and α < √(1 − β₂) = 0.95.
    results = al.run(
        {
            "name": "theorem-1",
            "steps": steps,
            "dtype": "float64",
            "record": {"every": steps // 4},
            "problem": [{"name": "reddi", "spread": 0.0}],
            "optimizer": [
                {"spec": f"{library}.rmsprop(inverse_sqrt(0.5), decay=0.1, eps=0.0)", "label": "adam"},
                {
                    "spec": f"{library}.amsgrad(inverse_sqrt(0.5), b1=0.0, b2=0.1, eps=0.0, "
                    "bias_correction_mu=false, bias_correction_nu=false)",
                    "label": "amsgrad",
                },
            ],
        }
    )
    adam, amsgrad = results["reddi"].ds["params"].values[:, -1, 0]
    assert adam == pytest.approx(worst, abs=within)
    assert amsgrad == pytest.approx(best, abs=within)
    # Slopes do not depend on x, so that roundings only add up: 2e5 of them, each some ulps of a step below 1.
    for path, is_amsgrad in ((adam, False), (amsgrad, True)):
        by_hand = paper(theorem, 1.0, steps, alpha=0.5, b1=0.0, b2=0.1, amsgrad=is_amsgrad)
        assert path == pytest.approx(by_hand, abs=1e-10)


@pytest.mark.parametrize("c", [2.5, 3.0, 10.0])
def test_theorem_1_adam_is_back_at_one_after_every_cycle(x64, c):
    adam = f"adamlab.rmsprop(inverse_sqrt(0.5), decay={1 / (1 + c * c)}, eps=0.0)"
    (path,) = paths("reddi", adam, 3000, 1, spread=0.0, c=c)
    assert (path[::3] == 1).all()
    assert (path[1::3] < 1).all()  # the steep loss does push it the right way


@pytest.mark.one_case_in(2)
@lengths({"steps": 100_090, "end": -0.977, "within": 5e-3}, {"steps": 1_000_000, "end": -0.997, "within": 5e-4})
def test_the_papers_run_ends_where_the_paper_says(x64, library, steps, end, within):
    rest = "inverse_sqrt(0.5), b1=0.9, b2=0.99, eps=0.0"
    (adam,) = paths("reddi_cyclic", f"{library}.adam({rest})", steps, steps, spread=0.0)[:, -1]
    uncorrected = "bias_correction_mu=false, bias_correction_nu=false"
    (amsgrad,) = paths("reddi_cyclic", f"{library}.amsgrad({rest}, {uncorrected})", steps, steps, spread=0.0)[:, -1]
    assert adam == 1
    assert amsgrad == pytest.approx(end, abs=within)
    # As above, with 1e6 steps.
    by_hand = paper(cycle, 0.0, steps, alpha=0.5, b1=0.9, b2=0.99, amsgrad=True)
    assert amsgrad == pytest.approx(by_hand, abs=1e-9)
    assert paper(cycle, 0.0, steps, alpha=0.5, b1=0.9, b2=0.99, amsgrad=False) == adam


@pytest.mark.parametrize(("steps", "below"), [(200_000, 0.5), pytest.param(2_000_000, -0.2, marks=pytest.mark.slow)])
def test_in_the_stochastic_run_adam_goes_one_way_and_amsgrad_the_other(steps, below):
    # The slopes' mean is 1/500 of their deviation: the steps are noisy, and so the last quarter of them is averaged.
    adam = paths("reddi_stochastic", "adamlab.adam(inverse_sqrt(0.5), b2=0.99)", 100_000, 100, seeds=range(8))
    assert (adam[:, -250:].mean(axis=1) > 0.9).all()
    spec = "adamlab.amsgrad(inverse_sqrt(10.0), b2=0.99, bias_correction_mu=false, bias_correction_nu=false)"
    amsgrad = paths("reddi_stochastic", spec, steps, steps // 2000, seeds=range(8))
    assert (amsgrad[:, -500:].mean(axis=1) < below).all()


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"c must be above 2 and at most 1e\+06, not 2"):
        problems.get("reddi", c=2)
    with pytest.raises(ValueError, match="spread must be from 0"):
        problems.get("reddi_cyclic", spread=-1.0)
