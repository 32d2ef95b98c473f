"""Analysis of datasets: pure functions that take a Dataset and give a Dataset, a DataArray or a table.

A *setting* is an optimizer with its numbers written in. An *instance* is what every optimizer is given alike: a problem
with a seed, and with a start where there are several. Runs that are not `done` never count. Where the runs have a
`stage`, settings are compared on the runs of "tuning" alone.
"""

from adamlab.analysis.answers import answer as answer
from adamlab.analysis.answers import answers as answers
from adamlab.analysis.answers import caveats as caveats
from adamlab.analysis.budgets import best_per_budget as best_per_budget
from adamlab.analysis.budgets import tuning_budget as tuning_budget
from adamlab.analysis.comparing.profiles import performance_profiles as performance_profiles
from adamlab.analysis.comparing.ranking import ranks as ranks
from adamlab.analysis.comparing.significance import against_first as against_first
from adamlab.analysis.comparing.significance import critical_difference as critical_difference
from adamlab.analysis.comparing.significance import friedman as friedman
from adamlab.analysis.comparing.significance import paired_tests as paired_tests
from adamlab.analysis.comparing.significance import rank_rows as rank_rows
from adamlab.analysis.comparing.twins import agreement as agreement
from adamlab.analysis.comparing.twins import difference_by_step as difference_by_step
from adamlab.analysis.comparing.twins import with_agreement as with_agreement
from adamlab.analysis.edge import edge_rows as edge_rows
from adamlab.analysis.ends import range_ends as range_ends
from adamlab.analysis.readings import formula_rows as formula_rows
from adamlab.analysis.readings import formula_summary as formula_summary
from adamlab.analysis.readings import weight_rows as weight_rows
from adamlab.analysis.rows import diverged as diverged
from adamlab.analysis.rows import finished as finished
from adamlab.analysis.rows import of_optimizer as of_optimizer
from adamlab.analysis.rows import optimizers as optimizers
from adamlab.analysis.scores import best_loss as best_loss
from adamlab.analysis.scores import score as score
from adamlab.analysis.seeds import over_seeds as over_seeds
from adamlab.analysis.seeds import steps_to as steps_to
from adamlab.analysis.settings import best_setting as best_setting
from adamlab.analysis.settings import best_settings as best_settings
from adamlab.analysis.settings import pair_scores as pair_scores
from adamlab.analysis.settings import sensitivity_to as sensitivity_to
from adamlab.analysis.settings import setting_scores as setting_scores
from adamlab.analysis.tables import standings as standings
from adamlab.analysis.tables import summary as summary
from adamlab.analysis.tables import verdicts as verdicts
