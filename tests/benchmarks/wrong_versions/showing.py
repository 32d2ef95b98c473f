"""What a reader sees: pictures, the report, the terminal, files for other programs."""

from tests.benchmarks.wrong_versions.change import of

PLOTS = "tests/plots/test_plots.py"
BENCHMARKS = "tests/plots/test_benchmarks.py"
COMPARED = "tests/plots/test_comparisons.py"
LANDSCAPES = "tests/plots/test_landscapes.py"
FAMILY = "tests/plots/test_family.py"
TERMINAL = "tests/test_terminal.py"
KINDS = "tests/studies/test_kinds.py"
COMMANDS = "tests/test_cli.py"
FORMULAS = "tests/test_cli_formulas.py"

PICTURES = [
    *of(
        "plots/runs/benchmarks.py",
        BENCHMARKS,
        (
            "for label in labels], parse_math=False, fontsize=9",
            "for label in labels[::-1]], parse_math=False, fontsize=9",
        ),
        (
            'row, color = table.isel(optimizer=height), looks[label]["color"]',
            'row, color = table.isel(optimizer=height), looks[labels[0]]["color"]',
        ),
        ("low, median, high = row.best_quantiles.values", "median, low, high = row.best_quantiles.values"),
        ('np.append(profile, profile[-1]), where="post"', 'np.append(profile, 1.0), where="post"'),
        ('where="post", **look', 'where="pre", **look'),
        ('return "seeds" if alone else "runs"', 'return "seeds"'),
        ("lambda runs: steps_to(runs, target, what)\n", "lambda runs: steps_to(runs, target)\n"),
    ),
    *of(
        "plots/comparisons.py",
        COMPARED,
        (
            "rows = [*zip(lefts, _left_errors(comparisons), strict=True)]",
            "rows = [*zip(lefts, comparisons.right_median.values, strict=True)]",
        ),
        (
            "dict(zip(rights, comparisons.right_median.values, strict=True))",
            "dict(zip(rights, comparisons.left_median.values, strict=True))",
        ),
        (
            "np.where(np.isposinf(grid), MOST, np.clip",
            "np.where(np.isposinf(grid), LEAST, np.clip",
        ),
        ("[name for name, _ in rows], comp", "[name for name, _ in rows[::-1]], comp"),
        ("comparisons.family.values)", "comparisons.family.values[::-1])"),
        ("axes.text(column, row, _cell(value)", "axes.text(column, row, _cell(grid[row, 0])"),
        ('colormaps["viridis_r"]', 'colormaps["viridis"]'),
        ('comparisons[["gap", "exact_gap"]].max("family"', 'comparisons[["gap", "exact_gap"]].min("family"'),
        ("shown = line.gap.where(", "shown = line.exact_gap.where("),
        ("exact = lines.groupby(over).exact_gap.max()", "exact = lines.groupby(over).gap.max()"),
        (
            "np.polyfit(np.log(low.index.to_numpy()), np.log(low.to_numpy()), 1)[0]",
            "np.polyfit(np.log(low.index.to_numpy()), np.log(low.to_numpy()), 1)[1]",
        ),
        ("line = lines.sort_values(over)", 'line = lines.sort_values("gap")'),
        ('tone = "white" if value > 1e3 else "black"', 'tone = "black" if value > 1e3 else "white"'),
        ("over: str = setting or next(", "over: str = next("),
    ),
    *of(
        "plots/runs/over_steps/differences.py",
        PLOTS,
        ('ylabel=differences.attrs["of"]', 'ylabel="largest difference in a parameter"'),
        ("if np.nan_to_num(final).max() == 0:", "if np.nan_to_num(final).min() == 0:"),
    ),
    *of(
        "plots/relations/family.py",
        FAMILY,
        ('return "limit" if row["limit"] else "exact"', 'return "exact" if row["limit"] else "limit"'),
        ('if row["status"] != "proved":\n        return row["status"]\n', ""),
        ('(row["general"], row["special"]) for row in rows]', '(row["special"], row["general"]) for row in rows]'),
        ('mark + row["condition"]', 'row["condition"]'),
        ("for kind, (c, d, text) in LOOKS.items() if kind in kinds", "for kind, (c, d, text) in LOOKS.items()"),
    ),
    *of(
        "plots/relations/graph_layout.py",
        "tests/plots/test_graph_layout.py tests/plots/test_family.py",
        ("isotonic_regression(wish - offset, weights=weight).x", "isotonic_regression(wish - offset).x"),
        ("(sizes[:-1] + sizes[1:]) / 2 + GAP", "(sizes[:-1] + sizes[1:]) / 2"),
        ("max(heights[a], heights[b] + 1)", "heights[b] + 1"),
    ),
    *of(
        "plots/landscapes.py",
        LANDSCAPES,
        ("    if len(inside) < 2:\n        return np.asarray(MaxNLocator(2).tick_values(low, high))\n", ""),
        (
            "values = np.ma.masked_invalid(data.landscape.values)",
            "values = np.ma.masked_invalid(data.landscape.values.T)",
        ),
        ("levels = (decades[:, None] * [1, 2, 5]).ravel()", "levels = (decades[:, None] * [1, 3, 7]).ravel()"),
        ("starts = done.params.values[:, 0]", "starts = done.params.values[:, -1]"),
        ("np.unique(starts if data.landscape.ndim == 2 else", "np.unique(starts[:1] if data.landscape.ndim == 2 else"),
        ("points = np.concatenate([starts, minima, [[data", "points = np.concatenate([minima, [[data"),
    ),
    *of(
        "plots/readings.py",
        "tests/plots/test_readings.py",
        (
            'POWERS = {1: "the gradient", 2: "the squared gradient"}',
            'POWERS = {2: "the gradient", 1: "the squared gradient"}',
        ),
        ("half as much after {row['halved_after']}", "half as much after {row['gradients']}"),
        ("if np.nanmin(drawn.weight) > 0 else Scale(None)", "if True else Scale(None)"),
    ),
    *of(
        "plots/style.py",
        f"{PLOTS} {BENCHMARKS}",
        ('looks[ours] |= {"lw": 4, "alpha": 0.4}', "pass"),
        ('looks[label] = {"color": colors[ours]', 'looks[label] = {"color": COLORS[-1]'),
        ("return values.where(abs(values) <= HIGHEST)", "return values", f"{PLOTS} -k too_far"),
        ("        text.set_parse_math(False)", "        pass", f"{PLOTS} -k in_a_legend"),
    ),
    *of(
        "plots/runs/trajectories.py",
        PLOTS,
        ("return path[np.isfinite(path).all(axis=1)][-1]", "return path[-1]", f"{PLOTS} -k as_far_as_it_goes"),
        ("chosen.params.values[chosen.seed.values == seeds[label]]", "chosen.params.values[:1]"),
        (
            "(inside.min() - margin, inside.max() + margin)",
            "(inside.max() + margin, inside.min() - margin)",
            f"{PLOTS} -k as_far_as_it_goes",
        ),
        ("inside = values[(values >= low) & (values <= high)]", "inside = values"),
    ),
    *of(
        "plots/files.py",
        "tests/plots tests/test_running.py -k 'same_each_time or old_figures or own_pictures'",
        ('".svg": {"metadata": {"Date": None}}', '".svg": {"metadata": {}}'),
        ("        old.unlink()\n", "        pass\n"),
        (
            "if len(refused) == len(problems):\n            notes",
            "if refused:\n            notes",
            "tests/plots/test_updates.py -k is_noted",
        ),
    ),
]

PAGES = [
    *of(
        "report/mathml.py",
        "tests/test_hostile_folders.py -k formulas",
        ("element.tag in ELEMENTS and element.attrib.items() <= ATTRIBUTES", "element.tag in ELEMENTS"),
    ),
    *of(
        "report/page.py",
        "tests/test_hostile_folders.py -k formulas",
        ("return Markup(formula) if is_mathml(formula) else text", "return Markup(formula)"),
        ("figures.get(name, ()), study)", "(), study)", "tests/test_running.py -k everything"),
    ),
    *of(
        "pages.py",
        "tests/test_hostile_folders.py tests/studies/test_readings.py -k 'text'",
        ("autoescape=select_autoescape()", "autoescape=False"),
    ),
    *of(
        "products.py",
        "tests/test_running.py",
        (
            "draw_outputs(tree, study.outputs or default, folder",
            "draw_outputs(tree, default, folder",
            "tests/test_running.py -k new_outputs",
        ),
        ("pd.concat(summaries, ignore_index=True)", "summaries[0]", "tests/test_running.py -k everything"),
        ('if origin and noted.get("origin") == origin', "if origin", "tests/test_running.py -k written_anew"),
        (' and noted.get("files") == _files(folder)', "", "tests/test_running.py -k written_anew"),
    ),
    *of(
        "exporting/files.py",
        "tests/test_exporting.py",
        (
            'if text.startswith(("=", "+", "-", "@", "\\t"))',
            'if text.startswith("=")',
            "tests/test_hostile_folders.py tests/test_exporting.py -k 'cell or curves'",
        ),
        ('np.meshgrid(*columns.values(), indexing="ij")', "np.meshgrid(*columns.values())"),
        ("values.sizes[along[0]] <= LOW_DIMENSION:", "True:", "tests/test_exporting.py -k whatever_its_dims"),
        ("if path.exists() and not _is_exported(path):", "if False:"),
        ('            if child.attrs.get("of") == "runs":\n', "            if False:\n"),
        ("return FORMAT_KEY not in", "return FORMAT_KEY in"),
    ),
]

SCREEN = [
    *of(
        "terminal/console.py",
        f"{KINDS} {TERMINAL} {FORMULAS}",
        (
            "table.add_row(*row.values())",
            "table.add_row(*reversed(row.values()))",
            KINDS,
        ),
        (
            "return str(data) if isinstance(data, float) and not math.isfinite(data) else data",
            "return None if isinstance(data, float) and not math.isfinite(data) else data",
            f"{TERMINAL} -k json_lacks",
        ),
        (
            "return super().render_str(printable(text), **how)",
            "return super().render_str(text, **how)",
            f"{TERMINAL} -k commands_no_terminal",
        ),
        ("    if form not in forms:\n", "    if False:\n", f"{FORMULAS} -k bad_input"),
    ),
    *of(
        "terminal/optimizers/comparing.py",
        f"{COMMANDS} {TERMINAL} -k compare",
        ("return comparison.identical\n    heads", "return True\n    heads"),
        (
            '        say(f"{comparison.differing_bits:,} bits differ, from step '
            '{comparison.first_difference} on")\n    return comparison.identical',
            '        say(f"{comparison.differing_bits:,} bits differ, from step '
            '{comparison.first_difference} on")\n    return True',
        ),
        (
            "{comparison.left} (left) and {comparison.right} (right)",
            "{comparison.right} (left) and {comparison.left} (right)",
            f"{TERMINAL} -k comparison_is_told",
        ),
        (
            'comparison.table.drop(columns="sees").rename(columns=heads)',
            'comparison.table.drop(columns="sees").rename(columns=heads | {"left_median": "right '
            'median", "right_median": "left median"})',
            f"{TERMINAL} -k comparison_is_told",
        ),
        (
            "{comparison.differing_bits:,} bits differ, from step {comparison.first_difference} on",
            "{comparison.first_difference} bits differ, from step {comparison.differing_bits} on",
        ),
        ("hyper=read_numbers(numbers), **how)", "hyper=read_numbers(numbers))"),
        ("    say(comparison.verdict)\n", ""),
    ),
    *of(
        "terminal/optimizers/relations.py",
        f"{FORMULAS} -k 'relation or expected'",
        ("return verdict.holds", 'return verdict.status != "refuted"'),
        (
            'return all(row["as_expected"] for row in rows)',
            'return any(row["as_expected"] for row in rows)',
            f"{FORMULAS} -k was_not_expected",
        ),
        ("rows = verdict_rows(library=library)", "rows = verdict_rows()", f"{FORMULAS} -k asked_for"),
    ),
    *of(
        "terminal/optimizers/formulas.py",
        FORMULAS,
        (
            "    return verdict.holds",
            '    return verdict.status != "refuted"',
            f"{FORMULAS} -k 'not_known or proof or refutation'",
        ),
        ('given=read_numbers(given, "--given"))', "given={})", f"{FORMULAS} -k 'proof or refutation or given'"),
        (
            "unroll(spec, steps, read_numbers(numbers), symbols=symbols, shape=_shape(shape))",
            "unroll(spec, steps, read_numbers(numbers), shape=_shape(shape))",
            f"{FORMULAS} -k 'opened'",
        ),
        ("{re.sub('-(?=-)', '- ', words)}", "{words}", f"{FORMULAS} -k words_of_a_verdict"),
        ("{re.sub('-(?=-)', '- ', words)}", "{words.replace('--', '- -')}", f"{FORMULAS} -k words_of_a_verdict"),
    ),
    *of(
        "terminal/studies/runs.py",
        f"{TERMINAL} {KINDS}",
        (
            '"runs": f"{item.runs:,}",\n            "blocks": item.blocks,',
            '"runs": f"{item.blocks:,}",\n            "blocks": item.runs,',
            TERMINAL,
        ),
        (
            '"bytes": in_bytes(item.bytes),\n            "time": _time(item.seconds),',
            '"bytes": in_bytes(item.seconds),\n            "time": _time(item.bytes),',
            TERMINAL,
        ),
        ('for name in ("runs", "bytes", "seconds"))', 'for name in ("runs", "bytes", "compiling"))', TERMINAL),
        (
            'return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.3g} h"',
            'return f"{seconds / 3600:.3g} h" if seconds < 5400 else f"{seconds / 60:.0f} min"',
            TERMINAL,
        ),
        ('return "All runs of this config are done."', 'return "0 runs."', TERMINAL),
        (
            "evaluated = len(study.problems) * len(study.optimizers) * len(study.evaluation.seeds)",
            "evaluated = len(study.problems) * len(study.optimizers)",
            TERMINAL,
        ),
        ("        return\n    if options.is_shared:", "    if options.is_shared:", TERMINAL),
        ("    if not isinstance(study, Study):\n", "    if False:\n", f"{TERMINAL} {COMMANDS}"),
    ),
    *of(
        "terminal/studies/progress.py",
        f"{TERMINAL} -k 'time_left or by_the_clock'",
        ("left = seconds / self.done * (self.runs - self.done)", "left = seconds / self.done * self.runs"),
        ("rate = self.done * self.steps / seconds\n", "rate = self.done / seconds\n"),
        (
            "self.progress.update(self.task, completed=round(self.done, 2)",
            "self.progress.update(self.task, completed=round(runs, 2)",
        ),
    ),
    *of(
        "terminal/lists.py",
        f"{COMMANDS} -k list",
        ('if "learning_rate" in arguments(factory) and not name.startswith("scale_by")', "if True"),
        ('name if a.required else f"{name}={written(a.default)}"', "name"),
    ),
    *of(
        "terminal/optimizers/numbers.py",
        f"{FORMULAS} -k bad_input",
        ("for part in parts if not all(part)]", "for part in parts if not part[0]]"),
    ),
    *of(
        "cli.py",
        f"{COMMANDS} {FORMULAS} -k 'compare or refut or expected or known'",
        ("    if not proved:\n        raise typer.Exit(1)", "    if not proved:\n        raise typer.Exit(0)"),
        (
            "    if not relations_and_show(format_, figure, library):\n        raise typer.Exit(1)",
            "    relations_and_show(format_, figure, library)",
        ),
        (
            "    if not compare_and_show(left, right, set_ or [], format_, **how):\n        raise typer.Exit(1)",
            "    compare_and_show(left, right, set_ or [], format_, **how)",
        ),
        (
            "    if not derive_and_show(name, format_, superscripts):\n        raise typer.Exit(1)",
            "    derive_and_show(name, format_, superscripts)",
            "tests/derivations/test_command.py -k not_hold",
        ),
        (
            '"layout": layout, "families": family, "seed": seed}',
            '"layout": layout, "families": family}',
            f"{COMMANDS} {TERMINAL} -k compare",
        ),
        (
            'how = {"steps": steps, "dtype": dtype, "context": context,',
            'how = {"steps": steps, "dtype": dtype,',
            f"{TERMINAL} -k comparison_is_told",
        ),
        ("set_ or [], options, dry_run=dry_run)", "set_ or [], options)", TERMINAL),
    ),
]

CHANGES = [*PICTURES, *PAGES, *SCREEN]
