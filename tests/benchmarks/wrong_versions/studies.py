"""Studies: configs, plans, the engine, the store, sweeps, and the kinds of results."""

from tests.benchmarks.wrong_versions.change import of

CONFIG = "tests/studies/config/test_config.py"
DESIGNS = "tests/studies/config/test_designs.py"
ENGINE = "tests/studies/engine/test_engine.py"
RECORDING = "tests/studies/engine/test_recording.py"
RUN = "tests/studies/sweep/test_run.py"
LEDGER = "tests/studies/sweep/test_ledger.py"
DAMAGE = "tests/studies/store/test_damage.py"
ESTIMATES = "tests/studies/sweep/test_estimate.py"
KINDS = "tests/studies/test_kinds.py"

CONFIGS = [
    *of(
        "studies/config/values/axes.py",
        CONFIG,
        ("if low >= high and count != [1]:", "if low > high and count != [1]:", f"{CONFIG} -k no_number"),
        ("if len(set(literals)) < len(literals) and not in_step:", "if False:"),
        ("if len(axis.forms) > 1:\n", "if False:\n"),
        ('points = [float(f"{point:.15g}") for point in', "points = [float(point) for point in"),
        (
            'return _beyond(MOST_SETTINGS, "settings", several)',
            "return None",
            "tests/studies/config/test_hostile.py -k hostile_config",
        ),
    ),
    *of(
        "studies/config/values/designs.py",
        DESIGNS,
        ("np.random.default_rng([seed, *name.encode()])", "np.random.default_rng([seed])"),
        ("return {name: column[np.sort(first)] for", "return {name: column[first] for"),
        ("float(self.high) + self.whole", "float(self.high)"),
        ("quantiles = dict(zip(sorted(axes), rows, strict=True))", "quantiles = dict(zip(axes, rows, strict=True))"),
        ("any(length not in (1, longest)", "any(length > longest"),
    ),
    *of(
        "studies/config/tables/starts.py",
        "tests/studies/config/test_starts.py",
        (
            "return (1 - unit) * low + unit * high",
            "return unit * low + (1 - unit) * high",
            "tests/studies/config/test_starts.py -k its_place",
        ),
        ('indexing="ij"), axis=-1)', "), axis=-1)"),
    ),
    *of(
        "studies/config/diff.py",
        f"{RUN} tests/test_running.py -k 'differs or refused or outputs'",
        ('COSMETIC = ("output", "question")', 'COSMETIC = ("output", "question", "seeds")'),
        ("range(max(len(old), len(new)))", "range(min(len(old), len(new)))"),
    ),
    *of(
        "studies/config/toml.py",
        CONFIG,
        ("data = copy.deepcopy(dict(config))", "data = dict(config)", f"{CONFIG} -k overrides"),
        (
            'return read["value"] if len(read) == 1 else value',
            'return read["value"]',
            f"{CONFIG} -k overrides",
        ),
    ),
    *of(
        "studies/config/sizes.py",
        "tests/studies/config/test_hostile.py tests/studies/config/test_malformed.py -k 'hostile_config or range'",
        ("    if needed > (memory := available_memory()):", "    if needed > 10**9 * (memory := available_memory()):"),
        ("        if count > MOST_RUNS:", "        if count > MOST_RUNS**2:"),
    ),
    *of(
        "studies/plan.py",
        f"{RUN} -k 'ids or join or start or fresh_seeds'",
        ("sorted(record.what)", "record.what", f"{RUN} -k not_on_its_order"),
        (", head.dtype, *kept])", ", *kept])", f"{RUN} -k not_on_its_order"),
        ("record.target, record.costly_every]", "record.costly_every]", f"{RUN} -k not_on_its_order"),
        ("{specs[i]}\\n{coordinates[j]}\\n{k}", "{specs[i]}\\n{k}"),
        ("seeds=evaluation.seeds, settings=settings", "seeds=study.head.seeds, settings=settings"),
        ("order[nearest], -1)", "nearest, -1)", f"{LEDGER} -k joined"),
        (
            "best_settings(runs.isel(run=np.flatnonzero(is_tuning(runs))), evaluation.by)",
            "best_settings(runs.isel(run=np.flatnonzero(is_tuning(runs))))",
            f"{RUN} -k own_criterion",
        ),
    ),
]

ENGINES = [
    *of(
        "studies/engine/keys.py",
        "tests/studies/engine/test_keys.py",
        ("(17, 29, 16, 24)", "(17, 29, 16, 25)"),
        ("jnp.stack(threefry(key, data))", "jnp.stack(threefry(key, data)[::-1])"),
        (".reshape(shape)), axis=-1)", ".reshape(shape)), axis=0)"),
        ("np.uint32(group + 1)", "np.uint32(group)"),
        (
            "high.astype(dtype) << np.uint64(32) | low.astype(dtype)",
            "low.astype(dtype) << np.uint64(32) | high.astype(dtype)",
        ),
        ("is raised again with JAX's own\n        return None", "is raised again with JAX's own\n        return KIND"),
        ("KIND if states is None or shapes(states[0]) == shapes(states[1]) else None", "KIND"),
        ("for function in (problem.objective, *problem.metrics.values())", "for function in ()"),
        ("or not chosen.jax_threefry_partitionable", ""),
    ),
    *of(
        "studies/engine/ravelling.py",
        "tests/studies/engine/test_ravelling.py",
        ("tx = flat(template.build(numbers))", "tx = template.build(numbers)"),
        ("ravel(project(params.tree))", "params"),
        ("value_fn=_loss)", "value_fn=lambda w: jnp.zeros(()))"),
        ("except Exception:  # a user's", "except ValueError:  # a user's"),
        ("leaf.dtype for leaf in jax.tree.leaves(tree)}) > 1", "leaf.dtype for leaf in jax.tree.leaves(tree)}) > 2"),
    ),
    *of(
        "studies/engine/rollout.py",
        "tests/studies/engine/test_ravelling.py",
        ("jax.eval_shape(unravel, state)", "jax.eval_shape(lambda state: state, state)"),
    ),
    *of(
        "studies/engine/rollout.py",
        ENGINE,
        ("jnp.where((reached < 0) & (loss <= self", "jnp.where((reached < 0) & (loss < self", f"{RECORDING} -k target"),
        ("jnp.where((reached < 0) & (loss", "jnp.where((loss", f"{RECORDING} -k target"),
        (
            "jnp.int32), params, carry.problem_state, 0))",
            "jnp.int32), params, carry.problem_state, 1))",
            f"{RECORDING} -k target",
        ),
        (
            "(zero == 0) & (finite == t)",
            "(zero == 0)",
            f"{ENGINE} -k 'bad_step or diverging'",
        ),
        (
            "diverged_at = jnp.where(finite <= t, finite, -1)",
            "diverged_at = jnp.where(finite < t, finite, -1)",
            f"{ENGINE} -k 'bad_step or diverging'",
        ),
        ("fold_in(key, t), t + 1)", "fold_in(key, t), t)", f"{RECORDING} -k regret_counts"),
        (
            "else jax.random.fold_in(key, t), t + 1)",
            "else jax.random.fold_in(key, 0), t + 1)",
            f"{ENGINE} -k minibatches",
        ),
        (
            "return params if self.problem.project is None else self.problem.project(params), state, updates",
            "return params, state, updates",
            "tests/problems/test_online.py -k stay",
        ),
        (
            "after[name] = now, now_error",
            "after[name] = correction, now_error",
            f"{ENGINE} -k corrections_are",
        ),
        (
            "numbers[name] = decay.at_step(correction, now)",
            "numbers[name] = decay",
            f"{ENGINE} -k no_power",
        ),
        (
            "while more := {i for i, inputs in enumerate(inputs_of) if inputs & differing} - differing:",
            "while more := set():",
            f"{ENGINE} -k follows_from_another",
        ),
    ),
    *of(
        "studies/engine/quantities.py",
        RECORDING,
        ("self._after_a_step(-_flat(self._last[1]) / self", "self._after_a_step(_flat(self._last[1]) / self"),
        (
            "return jnp.min(jnp.linalg.norm(offsets, axis=1))",
            "return jnp.linalg.norm(offsets, axis=1)[0]",
            f"{RECORDING} -k nearest_minimum",
        ),
        ('self._field("m")[0], self._field("v")[0])\n        return', 'self._field("m")[0],)\n        return'),
        ("_norms(self._last[1]) / _norms(over)", "_norms(self._last[1]) / _norms(self._last[0])"),
        ("jnp.where(self.moment.t > 0, held * self._correction(name), 0.0) if is_corrected else held", "held"),
        ('rates = ("decay",) if alone and name == "m" else', "rates ="),
    ),
    *of(
        "studies/engine/recording.py",
        "tests/studies",
        ("np.append(np.arange(0, steps, every), steps)", "np.arange(0, steps + 1, every)"),
    ),
    *of(
        "studies/engine/block_sizes.py",
        f"{ENGINE} tests/studies/sweep -k 'share or batches or three'",
        ("np.flatnonzero(np.diff(seeds[order])) + 1", "np.flatnonzero(np.diff(seeds[order]))"),
        ("(0, -len(group) % at_a_time)", "(0, len(group) % at_a_time)"),
    ),
    *of(
        "studies/engine/program.py",
        "tests/studies/config/test_values.py -k rates_by",
        ("rates, others = (one_minus_each(values), values) if", "rates, others = (1 - values, values) if"),
        (
            "(columns.seeds.reshape(-1, sizes.at_a_time) != columns.seeds[:: sizes.at_a_time, None]).any():",
            "False:",
            f"{ENGINE} -k share",
        ),
        (
            "return {symbol.name for symbol, _ in uses} - others",
            "return {symbol.name for symbol, _ in uses}",
            "tests/test_running.py -k 'one_symbol'",
        ),
    ),
    *of(
        "studies/engine/execution.py",
        "tests/studies/sweep/test_checkpoints.py -k 'cut_in_time'",
        ("written = slice(self.span.first, self.span.last + 1)", "written = slice(self.span.first, self.span.last)"),
        (
            'elif name != "seconds":\n                self.records[name] = values',
            'elif name == "seconds":\n                pass',
        ),
        ("if self.is_done else values.copy()", ""),
        (
            "return int(self.span.end - self.span.begin) / self.steps",
            "return int(self.span.end) / self.steps",
        ),
        ("span_of(program.steps, 0, steps)))", "span_of(program.steps, 0, 1)))", ESTIMATES),
    ),
    *of(
        "studies/engine/execution.py",
        "tests/studies/engine/test_execution.py",
        ("blocks[i::count]", "blocks[i :: count + 1]"),
        ("ThreadPoolExecutor(1)) for _ in streams]", "ThreadPoolExecutor(1))] * len(streams)"),
        ('("enable_x64", "debug_nans", "debug_infs")', '("enable_x64",)'),
        ('("enable_x64", "debug_nans", "debug_infs")', '("debug_nans", "debug_infs")'),
        ("(now - spent) / len(times) for", "(now - spent) for"),
    ),
    *of(
        "studies/engine/equations.py",
        "tests/studies/engine/test_execution.py",
        ("constants[i] = array", "pass"),
    ),
    *of(
        "studies/engine/program.py",
        "tests/studies/engine/test_execution.py",
        ("else [*map(lower, devices)]", "else [lower(devices[0])] * len(devices)"),
        ("digest.update(np.asarray(array).tobytes())", "pass"),
    ),
    *of(
        "studies/sweep/programs.py",
        f"{RUN} -k cores",
        ("devices=devices[:count],", "devices=devices,"),
        ("if not use_all:", "if True:"),
    ),
    *of(
        "studies/sweep/run.py",
        RUN,
        ("and settled in (None, program.sizes)", "", f"{RUN} -k begun_with"),
        ("blocks.drop(section)  # here,", "pass  # here,", "tests/studies/store/test_damage.py -k told"),
    ),
    *of(
        "studies/sweep/worker.py",
        f"{RUN} -k another_size",
        ("if program.sizes != section.sizes:", "if False:"),
    ),
    *of(
        "studies/distributed.py",
        f"{RUN} -k unasked",
        ("(count is not None or jax.process_count() == 1)", "True"),
    ),
]

STORE = [
    *of(
        "studies/store/section.py",
        "tests/studies/store tests/studies/sweep/test_run.py -k 'cut_off or killed or order or "
        "deleted or places or damage'",
        (
            "        for name, values in arrays.items():\n"
            "            self._array(name)[..., first : first + values.shape[-1]] = values\n"
            "        try:\n            flag = self._seal(block)\n",
            "        try:\n            flag = self._seal(block)\n",
            DAMAGE,
        ),
        (
            "        for name, values in arrays.items():\n"
            "            self._array(name)[..., first : first + values.shape[-1]] = values\n"
            "        try:\n            flag = self._seal(block)\n"
            "        except DamageError as error:  # somebody removes what is written\n"
            "            raise OSError(errno.EIO, str(error)) from error\n"
            '        self._array("done")[block : block + 1] = flag\n',
            '        self._array("done")[block : block + 1] = 1\n'
            "        for name, values in arrays.items():\n"
            "            self._array(name)[..., first : first + values.shape[-1]] = values\n"
            "        try:\n            flag = self._seal(block)\n"
            "        except DamageError as error:  # somebody removes what is written\n"
            "            raise OSError(errno.EIO, str(error)) from error\n"
            '        self._array("done")[block : block + 1] = flag\n',
            "tests/studies/store tests/studies/sweep/test_run.py -k 'cut_off or order'",
        ),
        (
            "hashed.update(name.encode() + self._checksum(self._array(name), block))",
            "pass",
            f"{DAMAGE} -k 'places or deleted'",
        ),
        ("if self._flag(block) != self._seal(block):", "if self._flag(block) == 0:", f"{DAMAGE} -k places"),
        (
            'np.nan if array.dtype.kind == "f" else -1, array.dtype)',
            "0, array.dtype)",
            f"{RUN} tests/studies/store -k 'cut_off or not_done'",
        ),
        ("return max(1, int.from_bytes(hashed.digest()))", "return 1", f"{DAMAGE} -k places"),
    ),
    *of(
        "studies/store/blocks.py",
        f"{DAMAGE} -k 'edited or deleted'",
        (
            "digest(data) for name, data in files.items()}\n\n    def metadata",
            'digest(b"") for name, data in files.items()}\n\n    def metadata',
        ),
        ("name.startswith(ahead)]", "name.startswith(problem)]", f"{LEDGER} {RUN} -k 'stored or join'"),
    ),
    *of(
        "studies/store/dataset.py",
        f"{RUN} -k 'join or start or cut_off'",
        (
            "    rows = rows[places[rows] >= 0]\n",
            "",
            "tests/studies/sweep -k 'shared or padding or seed_of or batches or hundreds or leftover or cut_off'",
        ),
        (
            "if any((start >= 0).any() for start in starts):",
            "if any((start > 0).any() for start in starts):",
            f"{RUN} {KINDS} -k 'start or terminal'",
        ),
        (
            'return f"argument.{argument}" if argument in RUN_NAMES else argument',
            "return argument",
            "tests/test_running.py -k 'called_seed'",
        ),
        (
            "np.repeat(marks, section.block)[: len(which)]",
            "np.ones(len(which), bool)",
            f"{RUN} tests/studies -k 'cut_off or not_done'",
        ),
    ),
    *of(
        "studies/store/items.py",
        "tests/studies/store/test_items.py -k 'damage or another or adds'",
        ('if attributes["digest"] != _seal(item, text):', "if False:"),
        ("return digest((item + text).encode())", "return digest(text.encode())"),
        (
            "json.dumps(depends_on, sort_keys=True, default=str)",
            "json.dumps(depends_on[:2], sort_keys=True, default=str)",
        ),
    ),
]

SWEEPS = [
    *of(
        "studies/sweep/estimate.py",
        ESTIMATES,
        ("bytes=size * len(plan),", "bytes=size * blocks,"),
        ("runs=len(plan),\n        blocks=blocks,", "runs=blocks,\n        blocks=len(plan),"),
        (
            "seconds=seconds * ceil(blocks / len(program.lowered)) * study.head.steps / steps,",
            "seconds=seconds * blocks * len(program.lowered) * study.head.steps / steps,",
        ),
        (
            "seconds=seconds * ceil(blocks / len(program.lowered)) * study.head.steps / steps,",
            "seconds=seconds * ceil(blocks / len(program.lowered)),",
        ),
        ("for key, plan in ledger.unfinished().items()]", "for key, plan in plans_of(study).items()]"),
        (
            "problem=plan.problem.name,\n        optimizer=plan.optimizer.label,",
            "problem=plan.optimizer.label,\n        optimizer=plan.problem.name,",
        ),
        ("prod(shape.shape) * shape.dtype.itemsize", "prod(shape.shape)"),
        ("/ min(os.cpu_count() or 1, max(1, len(estimates)))", "* min(os.cpu_count() or 1, max(1, len(estimates)))"),
    ),
    *of(
        "studies/sweep/ledger.py",
        LEDGER,
        ("np.where(is_free & done, rows, -1)", "rows"),
        ("done[entry.rows[entry.done & (entry.rows >= 0)]] = True", "done[entry.rows[entry.rows >= 0]] = True"),
        ("return is_of_any and not self.hindrances()", "return is_of_any"),
        ("kept = rows if is_free.all() else", "kept ="),
        ("            if (rows >= 0).all()\n", ""),
        ("flags[list(self.damage.blocks.get(section.name, ()))] = False", "pass"),
        ("if section.stage == plan.stage and", "if"),
        (
            "        if changed and not ledger.goes_on():\n",
            "        if False:\n",
            f"{RUN} -k 'another_config'",
        ),
    ),
    *of(
        "studies/sweep/worker.py",
        f"{RUN} -k padding",
        (
            "np.bincount(first // section.block, minlength",
            "np.bincount(np.arange(len(section)) // section.block, minlength",
        ),
        (
            "computed.part * counts[computed.block]",
            "counts[computed.block]",
            "tests/studies/sweep/test_checkpoints.py -k cut_in_time",
        ),
    ),
    *of(
        "studies/sweep/run.py",
        f"{RUN} -k 'evaluation or fresh_seeds or join or padding'",
        ("offset += 2**40 * (plan.stage == EVALUATION)", "pass"),
        ("np.where(is_first & (rows >= 0), rows + offset, -1)", "np.where(rows >= 0, rows + offset, -1)"),
        ("offset += len(ledger.plans[key])", "offset += 1"),
        (
            "elif is_unwanted:\n                blocks.set_order(section, np.full(len(section), -1))",
            "elif False:\n                pass",
        ),
    ),
]

KINDS_OF = [
    *of(
        "studies/kinds.py",
        f"{KINDS} tests/studies/test_comparisons.py",
        (
            'heads={"params_difference": "Δ params", "loss_difference": "Δ loss"}',
            'heads={"params_difference": "Δ loss", "loss_difference": "Δ params"}',
        ),
        ('heads={"spec": "best setting", "at_end"', 'heads={"spec": "optimizer", "at_end"'),
        (
            "[[rows.get(family, {}).get(name) for family in families] for rows in by_family]",
            "[[rows.get(family, {}).get(name) for family in families] for rows in by_family[::-1]]",
        ),
        ("return -1 if value is None else int(value)", "return 0 if value is None else int(value)"),
        (
            '("reading", "step"), np.array([_texts(state[name]) for _, state in rows]))',
            '("reading", "step"), np.array([_texts(state[name][::-1]) for _, state in rows]))',
            "tests/studies/test_readings.py tests/studies/test_kinds.py",
        ),
        (
            'np.array([float(document["settings"].get(name, np.nan)) for document in documents])',
            'np.array([float(document["settings"].get(name, 0.0)) for document in documents])',
        ),
    ),
    *of(
        "studies/comparisons.py",
        "tests/studies/test_comparisons.py",
        (
            "{name: getattr(result, name) for name in names}",
            '{name: getattr(result, name) for name in names} | {"left": result.right, "right": result.left}',
            f"tests/studies/test_comparisons.py {KINDS}",
        ),
        ("compare(**pair.arguments, steps=steps)", "compare(**pair.arguments)"),
    ),
    *of(
        "studies/readings.py",
        "tests/studies/test_readings.py",
        ("enumerate(self.unrolled.states, start=1)]", "enumerate(self.unrolled.states)]"),
        (
            '{text(b, **how)}" for a, b in equations],\n        "latex"',
            '{text(b)}" for a, b in equations],\n        "latex"',
        ),
        (
            "letter = self.read.opened.letters[self.read.opened.fields.index(state)]",
            "letter = self.read.opened.letters[0]",
        ),
    ),
]

CHANGES = [*CONFIGS, *ENGINES, *STORE, *SWEEPS, *KINDS_OF]
