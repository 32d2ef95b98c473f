"""Statistics of results."""

from tests.benchmarks.wrong_versions.change import of

CHANGES = [
    *of(
        "analysis/budgets.py",
        "tests/analysis/test_budgets.py",
        ("chances = left[:-1] * k / (n - i)", "chances = left[:-1] - left[1:]"),
        ("np.searchsorted(1 - left[1:], levels - rounding)", "np.searchsorted(1 - left[1:], levels)"),
        ("can_be_infinite = infinite > 0 and (replacement or k <= infinite)", "can_be_infinite = infinite > 0"),
        ('"optimizer", "trials"), sign(by) * best)', '"optimizer", "trials"), best)'),
        ("np.maximum(n - k - i, 0)", "np.maximum(n - k - i + 1, 0)"),
    ),
    *of(
        "analysis/comparing/instances.py",
        "tests/analysis/test_ranking.py tests/analysis/test_profiles.py",
        ("reindex(columns=labels).dropna() if", "reindex(columns=labels).fillna(np.inf) if"),
        ("reindex(columns=labels)", "reindex(columns=sorted(labels, reverse=True))"),
        ("np.where(np.isnan(numbers), np.inf, numbers)", "numbers"),
        ("best_settings(runs, by), value)", "best_settings(runs), value)"),
    ),
    *of(
        "analysis/comparing/profiles.py",
        "tests/analysis/test_profiles.py",
        ("spent = np.where(costs.values >= 0, costs.values, np.inf)", "spent = costs.values"),
        ('factors, side="right")', 'factors, side="left")'),
        ("np.where(spent == least, 1.0, spent / least)", "spent / least"),
    ),
    *of(
        "analysis/comparing/ranking.py",
        "tests/analysis/test_ranking.py",
        ("+ ((others == own).sum(axis=1) + 1) / 2", "+ 1"),
        ("[(1 - level) / 2, (1 + level) / 2]", "[1 - level, level]"),
        ("np.random.default_rng(seed)", "np.random.default_rng(0)"),
    ),
    *of(
        "analysis/readings.py",
        "tests/studies/test_readings.py -k fade",
        ("np.abs(weights) <= np.abs(weights[0]) / 2", "np.abs(weights) < np.abs(weights[0]) / 2"),
        (
            '"sum": float(weights.sum())',
            '"sum": float(np.abs(weights).sum())',
            "tests/studies/test_readings.py -k 'fade or forget'",
        ),
        (
            "weights = weights[np.isfinite(weights)]\n",
            "weights = np.nan_to_num(weights)\n",
            "tests/studies/test_readings.py -k 'fade or weights'",
        ),
    ),
    *of(
        "analysis/rows.py",
        "tests/analysis",
        ("return np.unique(codes, return_index=True)[1]", "return np.unique(codes[::-1], return_index=True)[1]"),
        ("pd.factorize(labels * (specs.max(initial=0) + 1) + specs)[0]", "specs"),
        (
            "return runs.diverged_at >= 0",
            "return runs.diverged_at > 0",
            "tests/analysis/test_tables.py -k diverges",
        ),
    ),
    *of(
        "analysis/scores.py",
        "tests/analysis/test_scores.py",
        ('return -1 if name.endswith("accuracy") else 1', "return 1"),
        ("sound = np.isfinite(values) & ~diverged(runs)", "sound = np.isfinite(values)"),
        ("worst = sign(name) * np.inf", "worst = np.inf"),
        ('by = runs.attrs.get("by", DEFAULT) if by is None else by', "by = DEFAULT if by is None else by"),
        ("finite = runs[name].where(np.isfinite(runs[name]))", "finite = runs[name]"),
    ),
    *of(
        "analysis/seeds.py",
        "tests/analysis/test_seeds.py",
        ("/ (count - 1)\n", "/ count\n"),
        ("(runs.step.values[None, :] >= since)", "(runs.step.values[None, :] > since)"),
        ("np.where((below == above) | (share == 0), below, between)", "between"),
        ("reached.argmax(axis=1)", "reached.argmax(axis=1) - 1"),
        ("sign(what) * np.inf, values)", "np.inf, values)"),
        ("np.nansum(squares, axis=1), np.nan)", "np.nansum(squares, axis=1), 0.0)"),
    ),
    *of(
        "analysis/settings.py",
        "tests/analysis/test_settings.py",
        ("scores.median().to_numpy()", "scores.mean().to_numpy()"),
        ("kept.append(fresh if fresh.size else mine[tuning[mine]])", "kept.append(mine[tuning[mine]])"),
        ("rows = np.flatnonzero(is_tuning(runs))\n    codes", 'rows = np.arange(runs.sizes["run"])\n    codes'),
        ("(labels == label) & (specs", "(specs"),
    ),
    *of(
        "analysis/tables.py",
        "tests/analysis/test_tables.py",
        (".differing_bits.clip(min=0).sum(", ".differing_bits.sum(", "tests/plots/test_comparisons.py -k bits"),
        (
            '"least": float(judged[chosen].min()),\n                "greatest": float(judged[chosen].max()),',
            '"least": float(judged[chosen].max()),\n                "greatest": float(judged[chosen].min()),',
        ),
        ("ascending=sign(by) > 0", "ascending=True"),
        ('"settings": int((compared == label).sum())', '"settings": len(mine)'),
        (
            '"optax_params_difference": runs.params_difference.values,\n'
            '        "optax_loss_difference": runs.loss_difference.values,',
            '"optax_params_difference": runs.loss_difference.values,\n'
            '        "optax_loss_difference": runs.params_difference.values,',
        ),
        ('"best_loss": best_loss(runs).values,', '"best_loss": runs.loss.isel(step=-1).values,'),
        (
            '.clip(min=0).sum("family").values',
            '.clip(min=0).max("family").values',
            "tests/studies/test_kinds.py tests/studies/test_comparisons.py",
        ),
        (
            'first.min("family").values]',
            'first.max("family").values]',
            "tests/analysis/test_tables.py -k any_family",
        ),
        (
            "where(comparisons.first_difference > 0)",
            "where(comparisons.first_difference > 1)",
            "tests/studies/test_kinds.py tests/studies/test_comparisons.py",
        ),
    ),
    *of(
        "analysis/comparing/twins.py",
        "tests/analysis/test_twins.py",
        ("largest[ours[diverged(runs).values[ours] & diverged(runs).values[theirs]]] = np.nan", "pass"),
        ("return np.where(np.isnan(difference), np.inf, difference)", "return difference"),
        ('*(["stage"] if "stage" in runs else [])]', "]"),
        ("        if name in shared:\n", "        if True:\n"),
        ("(table.params_difference == 0) & (table.loss_difference == 0)", "table.params_difference == 0"),
        ("(table.params_difference == 0) & (table.loss_difference == 0)", "table.loss_difference == 0"),
        (
            'both_diverged=("params_difference", lambda differences: int(differences.isna().sum())),',
            'both_diverged=("params_difference", lambda differences: int(np.isinf(differences).sum())),',
        ),
        ("max(axis=(0, 2))", "mean(axis=(0, 2))"),
    ),
]
