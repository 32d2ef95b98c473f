"""Rules and their arithmetic, lifting, calls, specs, schedules, recipes."""

from tests.benchmarks.wrong_versions.change import of

ARGUMENTS = "tests/rules/test_arguments.py"
FORMULAS = "tests/rules/test_formulas.py"
LIFTING = "tests/test_lifting.py"
RECIPES = "tests/test_recipes.py"
SPECS = "tests/test_specs.py"
SCHEDULES = "tests/test_schedules.py"
HOSTILE = "tests/test_hostile_folders.py"
CONFIG = "tests/studies/config/test_config.py"

ARITHMETIC = [
    *of(
        "arithmetic.py",
        FORMULAS,
        (
            "-jnp.expm1(steps * jnp.log1p(-small))",
            "1 - jnp.exp(steps * jnp.log1p(-small))",
            f"{FORMULAS} -k first_steps",
        ),
        (
            "return v, jnp.maximum(variance, 0)",
            "return v, variance",
            f"{FORMULAS} -k 'nearly_constant or turns_negative'",
        ),
        (
            "nearer = jnp.where(take > 0.5, x - keep * step, s + take * step)",
            "nearer = s + take * step",
            f"{FORMULAS} -k small_decays",
        ),
        (
            "return jnp.where(jnp.isfinite(step), nearer, keep * s + take * x)",
            "return nearer",
            f"{LIFTING} -k overflowing",
        ),
        (
            "rest = (a - (total - from_b)) + (b - from_b)",
            "rest = b - from_b",
            "tests/rules/test_arithmetic.py",
        ),
        (
            "return total, jnp.where(jnp.isfinite(total), rest, 0)",
            "return total, rest",
            "tests/rules/test_arithmetic.py",
        ),
        (
            "complement * ((1 - correction) - rest) + rest)",
            "complement * (1 - correction))",
            "tests/studies/engine/test_engine.py -k follow_one_minus",
        ),
        (
            "real = max([jnp.dtype(jnp.float32), *kinds]",
            "real = max([jnp.dtype(jnp.float16), *kinds]",
            "tests/rules/test_laws.py -k zero_gradients",
        ),
        (
            "return self.shrink(m_next) + self.c * (g / self.correction.astype(g.dtype))",
            "return self.shrink(m_next) + self.c * (g / self.next_correction.astype(g.dtype))",
            f"{ARGUMENTS} -k nadam",
        ),
        (
            "return decay.rate, 1 - decay.rate",
            "return decay.rate, decay.complement",
            f"{LIFTING} -k float64",
        ),
        (
            "return decay.rate, decay.complement, decay.corrections",
            "return decay.rate, 1 - decay.rate, decay.corrections",
            "tests/rules/test_arithmetic.py",
        ),
        (
            "self.one_minus_power(jnp.maximum(self.t - 1, 1)) if self.carried is None",
            "self.one_minus_power(self.t) if self.carried is None",
            f"{FORMULAS} -k paper",
        ),
        (
            "return self.c + self.b * self.carried[1]",
            "return self.c + self.carried[1]",
            "tests/studies/engine/test_engine.py -k corrections_are",
        ),
        (
            "return jnp.where((c > 0.5) | ~jnp.isfinite(s), b * s, s - c * s)",
            "return s - c * s",
            "tests/rules/test_arithmetic.py",
        ),
        (
            "return jnp.where((self.c > 0.5) | ~jnp.isfinite(s), x + self.b * s, s + (x - self.c * s))",
            "return s + (x - self.c * s)",
            f"{FORMULAS} -k small_momentum",
        ),
        ("spread = s + take * abs_sq(x - before)", "spread = s + take * abs_sq(x - mean)", f"{FORMULAS} -k centered"),
        (
            "v = jnp.where(jnp.isfinite(spread), nearer, spread)",
            "v = nearer",
            f"{LIFTING} -k overflowing_variance",
        ),
        (
            "_like(self.shares, s) if corrected else (self.b, self.c)",
            "_like(self.shares, s) if corrected else (self.c, self.b)",
            f"{FORMULAS} -k centered",
        ),
        (
            "return jnp.where(first, 0, keep), jnp.where(first, 1, take)",
            "return keep, take",
            f"{FORMULAS} -k weighted_variance",
        ),
        (
            "jnp.where(plain, (steps - 1) / steps,",
            "jnp.where(plain, steps / (steps + 1),",
            f"{FORMULAS} -k lookahead",
        ),
        ("_, take = _like(self.shares, m)", "_, take = _like(self.next_shares, m)", f"{FORMULAS} -k 'paper'"),
        (
            "return rule.weighted or rule.state",
            "return rule.state",
            "tests/test_interchange.py -k weighted_state_is_refused",
        ),
        ("return (jnp.conj(x) * x).real", "return (x * x).real", f"{LIFTING} -k complex"),
        ("FRESH = 2.0**13", "FRESH = 0.0", "tests/rules/test_derivatives.py -k 'paper or state'"),
        ("BERNOULLI = (1 / 2, -1 / 12,", "BERNOULLI = (1 / 2, 1 / 12,", "tests/rules/test_derivatives.py -k 'paper'"),
        (
            "far = weight / jnp.where(c > 0.5, c, 1) * (1 - steps * weight",
            "far = weight / jnp.where(c > 0.5, c, 1) * (1 - weight",
            "tests/rules/test_derivatives.py -k 'paper or complement'",
        ),
    ),
    *of(
        "derivatives.py",
        "tests/rules/test_derivatives.py -k 'gradients_of_0'",
        ("return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)", "return jnp.sqrt(x)"),
        (
            "jnp.where(jnp.isfinite(rest), rest, 0).astype(x.dtype)",
            "rest.astype(x.dtype)",
            "tests/rules/test_derivatives.py -k 'stay_the_same'",
        ),
    ),
    *of(
        "types.py",
        "tests/test_types.py",
        ("return float(1 - Decimal(repr(float(number))))", "return 1 - float(number)"),
        (
            "return (self.rate, self.complement, self.corrections), None",
            "return (self.rate, 1 - self.rate, None), None",
        ),
        ("if (rate is None) == (complement is None):", "if rate is None and complement is None:"),
        (
            "return float(number) if type(number) is int else number",
            "return number",
            f"{LIFTING} -k 'numbers_whole or differ_in_numbers'",
        ),
    ),
]

VECTORS = [
    *of(
        "flattening/vectors.py",
        "tests/flattening -k many",
        ("jnp.int32(end - size) for end", "jnp.int32(end) for end"),
        (
            "return _parts(vector, sizes), list(jax.lax.split(direction, sizes))",
            "return _parts(vector, sizes), _parts(direction, sizes)",
        ),
        ("jax.lax.optimization_barrier(jnp.bool_(True))", "True"),
        ("len(sizes) < MANY", "True"),
    ),
]

RULES = [
    *of(
        "rules/adam.py",
        f"{ARGUMENTS} -k adam",
        ("root(v_hat + eps_root) + eps)", "root(v_hat) + eps)"),
        ('dtypes={"mu": mu_dtype, "nu": nu_dtype}', 'dtypes={"mu": mu_dtype}'),
        ("m_hat = b1.lookahead(m, g)", "m_hat = b1.lookahead(m_hat, g)", f"{ARGUMENTS} -k nadam"),
        ('kept=("nu",))', 'kept=("mu", "nu"))', f"{LIFTING} -k bits"),
    ),
    *of(
        "rules/adamw.py",
        f"{ARGUMENTS} -k adamw",
        (
            "add_decayed_weights(weight_decay, mask, arithmetic=arithmetic)",
            "add_decayed_weights(weight_decay, arithmetic=arithmetic)",
        ),
        ("scale_by_adam(b1, b2, eps, eps_root, mu_dtype,", "scale_by_adam(b1, b2, eps, 0.0, mu_dtype,"),
    ),
    *of(
        "rules/adamax.py",
        f"{ARGUMENTS} -k adamax",
        ('dtypes={"nu": nu_dtype}', "dtypes={}"),
        (
            "add_decayed_weights(weight_decay, mask, arithmetic=arithmetic)",
            "add_decayed_weights(weight_decay, arithmetic=arithmetic)",
        ),
        ("jnp.maximum(jnp.abs(g) + eps, b2.shrink(s.nu))", "jnp.maximum(jnp.abs(g), b2.shrink(s.nu)) + eps"),
    ),
    *of(
        "rules/nadam.py",
        f"{ARGUMENTS} -k nadamw",
        (
            "        weight_decay,\n        mask,\n        nesterov",
            "        weight_decay,\n        None,\n        nesterov",
        ),
        ("        eps,\n        eps_root,\n        mu_dtype,\n", "        eps,\n        0.0,\n        mu_dtype,\n"),
        ("0.96 ** (t * momentum_decay)", "0.95 ** (t * momentum_decay)", f"{RECIPES} -k 'NAdam'"),
        (
            "momentum(s.count), momentum(optax.safe_increment(s.count))",
            "momentum(s.count), momentum(s.count)",
            f"{RECIPES} -k 'NAdam'",
        ),
        ("mu_next * m / (1 - product * mu_next)", "mu_next * m / (1 - product)", f"{RECIPES} -k 'NAdam'"),
    ),
    *of(
        "rules/rmsprop.py",
        f"{ARGUMENTS} -k rmsprop",
        (
            "stddev_with_count_rule if bias_correction else stddev_rule,\n        arithmetic=arithmetic,\n"
            '        start={"nu": initial_scale},',
            "stddev_with_count_rule if bias_correction else stddev_rule,\n        arithmetic=arithmetic,",
        ),
        ("trace(momentum, nesterov, arithmetic=arithmetic)", "trace(momentum, arithmetic=arithmetic)"),
        ("known = not isinstance(initial_scale, Tracer)", "known = True", f"{LIFTING} -k 'initial_scale'"),
        ("and bias_correction and known", "and known", f"{FORMULAS} -k paper"),
        (
            "jax.lax.rsqrt(v + eps) if eps_in_sqrt else 1 / (root(v) + eps)",
            "jax.lax.rsqrt(v + eps) if eps_in_sqrt else 1 / root(v + eps**2)",
        ),
        (
            "b2.variance(s.nu, g, s.mu, m_hat, bias_correction)",
            "b2.variance(s.nu, g, m, m_hat, bias_correction)",
            f"{FORMULAS} -k centered",
        ),
    ),
    *of(
        "rules/sgd.py",
        f"{ARGUMENTS} -k sgd",
        ('dtypes={"trace": accumulator_dtype}', "dtypes={}"),
        ("return decay.accumulate(m, g) if nesterov else m", "return decay.accumulate(s.trace, g) if nesterov else m"),
    ),
    *of(
        "rules/adadelta.py",
        f"{ARGUMENTS} -k adadelta",
        ("rho.average(s.e_x, abs_sq(x), corrected=False)", "rho.average(s.e_x, abs_sq(g), corrected=False)"),
        ('dtypes={"e_g": nu_dtype, "e_x": nu_dtype}', 'dtypes={"e_g": nu_dtype}', f"{LIFTING} -k average_of_squares"),
        ("add_decayed_weights(weight_decay, weight_decay_mask,", "add_decayed_weights(weight_decay, None,"),
    ),
    *of(
        "rules/adagrad.py",
        f"{ARGUMENTS} -k adagrad",
        (
            "jnp.where(total > 0, jax.lax.rsqrt(total + eps), 0.0) * g",
            "jax.lax.rsqrt(total + eps) * g",
            f"{FORMULAS} -k only_zeros",
        ),
        (
            "arithmetic=arithmetic, start=start, eps=eps)\n",
            "arithmetic=arithmetic, eps=eps)\n",
            "tests/parity/test_accuracy.py tests/rules/test_arguments.py -k 'compensated or adagrad'",
        ),
    ),
    *of(
        "rules/amsgrad.py",
        f"{ARGUMENTS} -k amsgrad",
        ('"nu": nu_dtype, "nu_max": nu_dtype}', '"nu": nu_dtype}', f"{LIFTING} -k average_of_squares"),
        ("root(v_max + eps_root) + eps)", "root(v_max) + eps)"),
        ("jnp.maximum(s.nu_max, v_hat)", "jnp.maximum(s.nu_max, v)"),
    ),
    *of(
        "rules/learning_rate.py",
        f"{LIFTING} -k bits",
        ("return jnp.asarray(step_size, dtype=g.dtype) * g, s", "return step_size * g, s", f"{LIFTING} -k value_of"),
        ("sign = -1 if flip_sign else 1", "sign = -1", f"{RECIPES} tests/rules -k 'flip or dampening or SGD'"),
    ),
    *of(
        "rules/weight_decay.py",
        LIFTING,
        ("optax.masked(decay, required_flags(mask))", "decay", f"{ARGUMENTS} -k adamw"),
        ("return g + weight_decay * w, s", "return g - weight_decay * w, s", f"{ARGUMENTS} -k adamw"),
    ),
]

LIFTED = of(
    "lifting.py",
    LIFTING,
    ('if schedules and "count" not in rule.state._fields:', "if False:", f"{LIFTING} -k schedule_needs"),
    (
        'if arithmetic == "weighted" and rule.weighted and (moving',
        "if False and (moving",
        f"{LIFTING} -k decay_that_moves",
    ),
    (
        "lambda g, w: None if g is None else w, updates, params",
        "lambda g, w: w, updates, params",
        f"{LIFTING} -k params_without",
    ),
    ("dtype = jnp.result_type(g, *w)", "dtype = g.dtype", f"{LIFTING} -k wide"),
    ("if len(state) != len(pieces):", "if False:", f"{LIFTING} -k another_chain"),
    ("        _require_same_shapes(tree, gradients, column, name)\n", "        pass\n", f"{LIFTING} -k another_shape"),
    ("kept = {*rule.kept, *dict(part.dtypes)} if", "kept = {*rule.kept} if", f"{ARGUMENTS} -k sgd"),
    (
        "if self.part.state._fields and not isinstance(state, self.part.state):",
        "if False:",
        f"{LIFTING} -k another_kind",
    ),
    ("if needs_params and params is None:", "if False:", f"{LIFTING} -k asked_for"),
    (
        "@partial(jax.jit, static_argnums=0, inline=True)",
        "@partial(jax.jit, static_argnums=0)",
        f"{LIFTING} -k outer",
    ),
    ("dtype=dtype if dtype or copies_optax else jnp.result_type(x)", "dtype=dtype", f"{LIFTING} -k python_numbers"),
    ("optax.safe_increment(stored.count)}", "stored.count + 1}", f"{LIFTING} -k greatest_number"),
)

WRITTEN = [
    *of(
        "calls.py",
        SPECS,
        ("_is_number(value) and 0 <= value <= 1,", "_is_number(value) and 0 <= value < 1,", CONFIG),
        ("and abs(value) <= sys.float_info.max", "", f"{CONFIG} {SPECS} -k 'refused or no_number'"),
        ("is int and 1 <= value <= MOST_STEPS,", "is int and 0 <= value <= MOST_STEPS,", CONFIG),
        ("or type(self.default) is int\n", "\n", "tests/test_running.py -k stay_whole"),
        ("            return self.optional\n", "            return True\n"),
        ("                yield from inner.symbols()\n", "                yield from ()\n"),
        ("        return str(value).lower()\n", "        return str(value)\n"),
        (
            "return defaults | dict(self.arguments)",
            "return dict(self.arguments) | defaults",
            "tests/analysis/test_twins.py",
        ),
        ("        case Call():\n            return value.with_numbers(numbers)\n", "", CONFIG),
        ("[*value] == sorted(set(value)) and value[0] >= 1", "value[0] >= 1", f"{CONFIG} {SPECS}"),
    ),
    *of(
        "specs.py",
        SPECS,
        (" if value is not True:\n", ":\n"),
        ("if keyword.arg is None or keyword.arg in given:", "if keyword.arg is None:"),
        ('(not name.startswith("_") and _makes_a_transform(f))', 'not name.startswith("_")'),
        (
            'a.kind == "other" and a.required for',
            'a.kind == "other" for',
        ),
        ("if p.kind is p.POSITIONAL_OR_KEYWORD]", "]"),
    ),
    *of(
        "schedules.py",
        SCHEDULES,
        (
            "if not isinstance(steps, Tracer) and np.any(np.less(steps, 1)):",
            "if not isinstance(steps, Tracer) and np.any(np.less(steps, 0)):",
        ),
        ("np.any(np.less_equal(steps, warmup))", "np.any(np.less(steps, warmup))"),
        ("jnp.where(count < boundary, init, init * factor)", "jnp.where(count <= boundary, init, init * factor)"),
        ("jnp.asarray(jnp.minimum(steps, count), float) / steps", "jnp.asarray(count, float) / steps"),
        ("return value.astype(jnp.result_type(*levels, float))", "return value"),
        ("_half_cosine(count - warmup, steps - warmup, alpha)", "_half_cosine(count - warmup, steps, alpha)"),
        ("rate ** (jnp.asarray(count, float) / every)", "rate ** (count // every)"),
        ("(init - end) * (1 - _done(count, steps)) + end", "init + (end - init) * _done(count - 1, steps)"),
    ),
    *of(
        "recipes.py",
        RECIPES,
        ("return jnp.where(count == 0, 1, 1 - dampening)", "return jnp.where(count < 0, 1, 1 - dampening)"),
        (
            "scale_by_learning_rate(1.0 if maximize else None, arithmetic=arithmetic)",
            "scale_by_learning_rate(None, arithmetic=arithmetic)",
        ),
        ("/ (1 + count * lr_decay)", "/ (1 + (count + 1) * lr_decay)"),
        ("eps: ArrayLike = 1e-10,", "eps: ArrayLike = 1e-7,"),
        ("eps=eps,\n            eps_in_sqrt=False,\n", "eps=eps,\n            eps_in_sqrt=True,\n"),
        ("scale = scale_by_stddev if centered else scale_by_rms", "scale = scale_by_rms"),
        ("scale(alpha, eps, eps_in_sqrt=False, arithmetic=arithmetic)", "scale(alpha, eps, arithmetic=arithmetic)"),
        ("alpha: Rate = 0.99,", "alpha: Rate = 0.9,"),
        (
            "        _momentum(momentum, False, arithmetic),\n"
            "        scale_by_learning_rate(lr, arithmetic=arithmetic),\n",
            "        scale_by_learning_rate(lr, arithmetic=arithmetic),\n"
            "        _momentum(momentum, False, arithmetic),\n",
        ),
        ("lr: ArrayLike | Schedule = 1.0,", "lr: ArrayLike | Schedule = -1.0,"),
        ("scale = _scale_by_amsgrad if amsgrad else scale_by_adam", "scale = scale_by_adam"),
        ("weight_decay: ArrayLike = 1e-2,", "weight_decay: ArrayLike = 1e-4,"),
        ("amsgrad, maximize, decoupled_weight_decay=True", "amsgrad, False, decoupled_weight_decay=True"),
        ("eps=lambda count: root(count) * eps,", "eps=eps,"),
        (
            "scale_by_learning_rate(root, flip_sign=False, arithmetic=arithmetic)",
            "scale_by_learning_rate(None, arithmetic=arithmetic)",
        ),
        ('start={"mu_product": 1.0},', 'start={"mu_product": 0.0},'),
        ("momentum_decay: ArrayLike = 4e-3,", "momentum_decay: ArrayLike = 1.0,"),
        ("_momentum(momentum, nesterov, arithmetic)", "_momentum(momentum, False, arithmetic)"),
        ("all(_is_rate(rate, below=1.0) for rate in value)", "all(_is_rate(rate) for rate in value)"),
        ("if nesterov and (_is_zero(momentum) or not _is_zero(dampening)):", "if nesterov and _is_zero(momentum):"),
        ("return 0 <= value < below", "return value < below"),
    ),
    *of(
        "dependence.py",
        "tests/studies/engine/test_engine.py -k 'same_for_all or plain_loop'",
        (
            "known |= dict.fromkeys(equation.outvars, behind(equation.invars))",
            "known |= dict.fromkeys(equation.outvars, behind(equation.invars[:1]))",
        ),
    ),
    *of(
        "files.py",
        HOSTILE,
        ("        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):", "        if False:", f"{HOSTILE} -k regular"),
        ("    if len(data) > most:", "    if False:", "tests/studies/config/test_hostile.py -k hostile_config"),
        ("        new.unlink(missing_ok=True)", "        pass", f"{HOSTILE} -k not_finished"),
    ),
    *of(
        "errors.py",
        "tests/studies/config/test_hostile.py -k 'message or hostile_config'",
        ('map(cut, printable(message).split("\\n"))', 'map(cut, message.split("\\n"))'),
        ('map(cut, printable(message).split("\\n"))', 'printable(message).split("\\n")'),
        ("if len(lines) > MOST_LISTED else []", "if False else []"),
        ("get_close_matches(name, valid, n=1, cutoff=0.5)", "[]", SPECS),
    ),
]

CHANGES = [*ARITHMETIC, *VECTORS, *RULES, *LIFTED, *WRITTEN]
