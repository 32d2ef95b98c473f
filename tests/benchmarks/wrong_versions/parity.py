"""The comparison of two optimizers: its numbers, its words, and the causes that it names."""

from tests.benchmarks.wrong_versions.change import of

CHANGES = [
    *of(
        "parity/ulps.py",
        "tests/parity",
        (
            "return 0.0 if number == libmp.fnan and isnan(value) else inf",
            "return 0.0",
            "tests/parity/test_ulps.py",
        ),
        ("np.isnan(left) & np.isnan(right)", "np.isnan(left) | np.isnan(right)", "tests/parity/test_ulps.py"),
        ("return np.where(np.isnan(left) & np.isnan(right), 0, bits)", "return bits", "tests/parity/test_ulps.py"),
        (
            "np.where(np.isnan(left) & np.isnan(right), 0, bits)",
            "np.where((np.isnan(left) & np.isnan(right)) | (left == right), 0, bits)",
            "tests/parity/test_ulps.py",
        ),
        ("np.bitwise_count(", "np.sign(", "tests/parity/test_ulps.py"),
        ("largest + spacing(largest, dtype) / 2", "largest", "tests/parity/test_ulps.py"),
        ("largest + spacing(largest, dtype) / 2", "largest + spacing(largest, dtype)", "tests/parity/test_ulps.py"),
        (" and (value > 0) == (exact > 0)", "", "tests/parity/test_ulps.py"),
        ("return 0.0 if overflows and isinf(value)", "return 0.0 if overflows", "tests/parity/test_ulps.py"),
        ("return 0.0 if overflows and isinf(value)", "return 0.0 if isinf(value)", "tests/parity/test_ulps.py"),
        ("return abs(libmp.to_float(", "return (libmp.to_float(", "tests/parity/test_ulps.py"),
    ),
    *of(
        "parity/families.py",
        "tests/parity",
        (
            "np.random.default_rng([seed, numbers[name]])",
            "np.random.default_rng([0, numbers[name]])",
            "tests/parity/test_ulps.py",
        ),
        (".astype(jnp.dtype(dtype))", ".astype(np.float32)", "tests/parity/test_comparison.py -k 'told or narrow'"),
    ),
    *of(
        "parity/comparison.py",
        "tests/parity",
        (
            "gradients(names, steps, dtype, seed)",
            "gradients(names, steps, dtype)",
            "tests/parity/test_comparison.py -k 'seed'",
        ),
        ("side.run(laid, context)", 'side.run(laid, "jit")', "tests/parity/test_comparison.py -k 'told or scans'"),
        ("laid_out(gs, layout)", 'laid_out(gs, "tree")', "tests/parity/test_comparison.py -k 'told or vector'"),
        (
            'median = max(record["apart_median"]',
            'median = min(record["apart_median"]',
            "tests/parity/test_comparison.py -k 'greatest'",
        ),
        (
            'apart = max(record["apart_max"]',
            'apart = min(record["apart_max"]',
            "tests/parity/test_comparison.py -k 'greatest'",
        ),
        (
            'apart = max(record["apart_max"]',
            'apart = records[-1]["apart_max"] if records else max(record["apart_max"]',
            "tests/parity/test_comparison.py -k 'greatest'",
        ),
        (
            'zip(("left", "right"), exact, updates',
            'zip(("right", "left"), exact, updates',
            "tests/parity/test_comparison.py -k 'apart or gap'",
        ),
        (
            'zip(("left", "right"), exact, updates',
            'zip(("left", "right"), exact[::-1], updates[::-1]',
            "tests/parity/test_comparison.py -k 'apart or gap'",
        ),
        (
            'zip(("left", "right"), exact, updates',
            'zip(("left", "right"), exact, updates[:1] * 2',
            "tests/parity/test_comparison.py -k 'apart or gap'",
        ),
        ("_gap(exact[0], exact[1])", "_gap(exact[1], exact[0])", "tests/parity/test_comparison.py -k 'apart or gap'"),
        ("(left), exact[1])", "(left), exact[0])", "tests/parity/test_comparison.py -k 'apart or gap'"),
        (
            "Comparison(sides[0].name, sides[1].name",
            "Comparison(sides[1].name, sides[0].name",
            "tests/parity/test_comparison.py -k 'apart or gap'",
        ),
        (
            'sum(record["differing_bits"]',
            'max(record["differing_bits"]',
            "tests/parity/test_comparison.py -k 'greatest'",
        ),
        ("int(steps[0]) + 1 if", "int(steps[0]) if", "tests/parity/test_comparison.py -k 'first'"),
        (
            "    if np.isinf(apart):",
            "    if False:",
            "tests/parity/test_comparison.py tests/parity/test_diagnosis.py -k 'apart or infinitely'",
        ),
        (
            'if np.isinf(record[f"{side}_max"])]',
            'if not np.isinf(record[f"{side}_max"])]',
            "tests/parity/test_comparison.py -k 'apart'",
        ),
        (
            'with jax.enable_x64(dtype == "float64"):',
            "with jax.enable_x64(False):",
            "tests/parity/test_comparison.py -k 'told'",
        ),
    ),
    *of(
        "parity/trajectories.py",
        "tests/parity",
        ('if context == "scan":', 'if context != "eager":', "tests/parity/test_comparison.py -k 'told or scans'"),
        (
            '(jax.jit(step), np.asarray) if context == "jit" else (step, jnp.asarray)',
            "(jax.jit(step), np.asarray)",
            "tests/parity/test_comparison.py -k 'told or scans'",
        ),
        ('if layout == "leaf":', 'if layout == "tree":', "tests/parity/test_comparison.py -k 'told or vector'"),
        ("g.reshape(len(g), *FAMILIES[name].shape)", "g", "tests/parity/test_comparison.py -k 'told or vector'"),
    ),
    *of(
        "parity/readings.py",
        "tests/parity",
        (
            "if cls(subjects, start, layout, finer, _read(subjects, start, layout, finer)).parting:",
            "if True:",
            "tests/parity/test_diagnosis.py -k loses_all",
        ),
        (
            "        return cls(subjects, gradients, layout, finer,",
            "        return cls(subjects, gradients, layout, digits,",
            "tests/parity/test_diagnosis.py -k loses_all",
        ),
        (
            "finer = max(4 * digits, 200)",
            "finer = digits",
            "tests/parity/test_diagnosis.py -k loses_all",
        ),
        ("min(apart.items()", "max(apart.items()", "tests/parity/test_diagnosis.py -k part_where"),
        ("~near)[0]) + 1", "~near)[0])", "tests/parity/test_diagnosis.py -k 'late'"),
    ),
    *of(
        "parity/probe.py",
        "tests/parity",
        (
            "        return bool(mpmath.isnan(a) and mpmath.isnan(b))",
            "        return False",
            "tests/parity/test_diagnosis.py -k 'nowhere'",
        ),
        (
            "        return bool(mpmath.isnan(a) and mpmath.isnan(b))",
            "        return True",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            "abs(a - b) <= SAME * max(abs(a), abs(b))",
            "abs(a - b) <= 1e-6 * max(abs(a), abs(b))",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        ("key = id(subject), steps", "key = id(subject), 0", "tests/parity/test_diagnosis.py -k 'named'"),
    ),
    *of(
        "parity/diagnosis.py",
        "tests/parity",
        (
            "and self.probe.moves(left)",
            "",
            "tests/parity/test_diagnosis.py tests/parity/test_comparison.py -k 'named or evidence or explained'",
        ),
        (
            "            if self.check.agree(left, right):",
            "            if True:",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            "return self._told(self._needed(changes))",
            "return self._told(changes)",
            "tests/parity/test_diagnosis.py -k 'effect'",
        ),
        (
            "if told and not a_factor(left, right, self.check):",
            "if False:",
            "tests/parity/test_diagnosis.py tests/parity/test_comparison.py -k 'named or factor'",
        ),
        ('if shown != "1.0" or number == 1:', "if True:", "tests/parity/test_diagnosis.py -k 'named'"),
        ("'+' if number > 1 else '-'", "'-' if number > 1 else '+'", "tests/parity/test_diagnosis.py -k 'named'"),
        (
            "ratios = [[a / b for",
            "ratios = [[b / a for",
            "tests/parity/test_diagnosis.py tests/parity/test_comparison.py -k 'named or explained'",
        ),
        (
            "not pair[side] and pair[other]",
            "pair[side] and not pair[other]",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            'if change.kind == "number" and len(change.left.constants) == 1:',
            'if change.kind == "number" and change.left.constants and (change := change):',
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
    ),
    *of(
        "parity/changes.py",
        "tests/parity",
        ("**subject.constants, **self.constants", "**subject.constants", "tests/parity/test_diagnosis.py -k 'named'"),
        (
            "{x: d if x > 0 else -d for x in signed}",
            "{x: d for x in signed}",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            "if c not in other.all_constants and",
            "if abs(c) not in map(abs, other.all_constants) and",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            "pair = number, side.subject.numbers[name]",
            "pair = side.subject.numbers[name], number",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        ('*(pair if side.name == "right" else pair[::-1])', "*pair", "tests/parity/test_diagnosis.py -k 'named'"),
        ("{complement: 1 - d}", "{complement: d}", "tests/parity/test_diagnosis.py -k 'named'"),
        (
            "ones = {c: 1.0} if kept else {c: 1.0, rate: 1.0}",
            "ones = {c: 1.0, rate: 1.0}",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        ("and c != rate and isclose", "and isclose", "tests/parity/test_diagnosis.py -k 'named'"),
    ),
    *of(
        "parity/places.py",
        "tests/parity",
        (
            '1: "ahead of the bias correction on the left, after it on the right",',
            '1: "after the bias correction on the left, ahead of it on the right",',
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            'left, right = (own, other) if side == "left" else (other, own)',
            "left, right = own, other",
            "tests/parity/test_diagnosis.py tests/parity/test_comparison.py -k 'named or explained'",
        ),
        ("more = [a - b for", "more = [b for", "tests/parity/test_diagnosis.py -k 'named'"),
        (
            "probe.doubled.updates(side, probe.steps) - probe.updates(side, probe.steps)",
            "probe.updates(side, probe.steps)",
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
        (
            '-1: "outside the root", -0.5: "inside the root"',
            '-0.5: "outside the root", -1: "inside the root"',
            "tests/parity/test_diagnosis.py -k 'named'",
        ),
    ),
    *of(
        "parity/constants.py",
        "tests/parity",
        (
            "if new is None or (jnp.issubdtype(dtype, jnp.integer) and new != int(new)):",
            "if new is None:",
            "tests/parity/test_diagnosis.py -k stay_whole",
        ),
        ("float(str(scalar))", "float(scalar)", "tests/parity/test_diagnosis.py -k stay_whole"),
        ("tuple(_revised(branch, revise) for branch in value)", "value", "tests/parity/test_diagnosis.py -k 'named'"),
        (
            "init, update = (Program(_revised(p.jaxpr, self._revise), p.shapes) for p in programs[:2])",
            "init, update = programs[0], Program(_revised(programs[1].jaxpr, self._revise), programs[1].shapes)",
            "tests/parity/test_diagnosis.py -k stay_whole",
        ),
    ),
]
