"""The long run: `python -m tests.fuzzing --verdicts 3000 --seed 0`."""

import argparse
import sys
import warnings

from tests.fuzzing.fuzzing import Report


def main() -> int:
    """Judge so many random pairs, and print each fault as Python source; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--verdicts", type=int, default=3000, help="the number of pairs")
    parser.add_argument("--seed", type=int, default=0, help="of the run: its pairs have seeds of their own")
    parser.add_argument("--first", type=int, default=0, help="the pair to begin with, to go on with a run")
    parser.add_argument("--readings", type=int, default=3, help="read every so many-th pair's left side, 0 for none")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds to make a failing pair smaller in")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    report = Report()
    for k in range(arguments.first, arguments.verdicts):
        seed = arguments.seed * 1_000_000 + k
        for fault in report.add(seed, readings=bool(arguments.readings) and k % arguments.readings == 0):
            sys.stdout.write(f"\n# seed {seed}\n{fault.shrunk(arguments.shrink)}\n")
            sys.stdout.flush()
        if k % 20 == 19:
            sys.stdout.write(f"\n{k + 1} pairs\n{report.table()}\n")
            sys.stdout.flush()
    sys.stdout.write(f"\n{report.table()}\n")
    return int(report.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
