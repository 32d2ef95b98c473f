"""One process of a run as tests want it: small blocks, and a signal to itself after so many of them.

python -m tests.one_process AFTER SIGNAL ARGUMENTS… is `adamlab ARGUMENTS…`; AFTER is −1 for no signal.
"""

import os
import signal
import sys

from adamlab.cli import main
from adamlab.studies.engine import block_sizes
from adamlab.studies.store.blocks import Section


def run():
    after, name, *arguments = sys.argv[1:]
    block_sizes.WORK = 1
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
