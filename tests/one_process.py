"""A process of a run with small blocks and an empty report, which sends itself a signal after some of them.

python -m tests.one_process AFTER SIGNAL ARGUMENTS… runs `adamlab ARGUMENTS…`; with AFTER −1 no signal is sent.
"""

import os
import signal
import sys

from adamlab import running
from adamlab.cli import main
from adamlab.studies.engine import block_sizes
from adamlab.studies.store.section import Section


def empty_report(study, tree, folder, *others):
    """In place of the tables, pictures and formulas that a run ends with."""
    (folder / "report.html").touch()


def run():
    after, name, *arguments = sys.argv[1:]
    block_sizes.RECORDS = 1
    running.write_products = empty_report
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    write, blocks = Section.write, iter(range(int(after)))

    def counted(self, block, arrays):
        if int(after) >= 0 and next(blocks, None) is None:
            os.kill(os.getpid(), getattr(signal, name))
        write(self, block, arrays)

    Section.write = counted
    sys.argv = ["adamlab", *arguments]
    main()


if __name__ == "__main__":
    run()
