"""Problems to minimize, and their registry.

A problem is made by a function with keyword options, whose name is the problem's: `get("rosenbrock", dim=10)`. A
problem of your own joins them by `register`; `minibatches` and `epochs` draw its batches, and `split` its parts.
"""

from adamlab.problems.data.sampling import epochs as epochs
from adamlab.problems.data.sampling import minibatches as minibatches
from adamlab.problems.data.sampling import split as split
from adamlab.problems.fields import field as field
from adamlab.problems.landscapes import landscape as landscape
from adamlab.problems.registering import LONGEST_NAME as LONGEST_NAME
from adamlab.problems.registering import NAME as NAME
from adamlab.problems.registering import is_name as is_name
from adamlab.problems.registering import misfits as misfits
from adamlab.problems.registering import register as register
from adamlab.problems.registry import PROBLEMS as PROBLEMS
from adamlab.problems.registry import all_problems as all_problems
from adamlab.problems.registry import find as find
from adamlab.problems.registry import get as get
from adamlab.types import Problem as Problem
