"""The command line: arguments in, the public functions below, tables out.

Exit status 0: done; 2: the input or the options are wrong, said in one sentence; 1: anything else.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence

from snaps.errors import InputError, legible


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``snaps`` on the command line; None for the process's own arguments.

    Returns
    -------
    int
        Exit status.
    """
    # Threads that wait by spinning take up to four times as long beside another process, threads that sleep at once
    # half as long again alone (docs/training.md). OpenMP reads this once, when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    ignored = sys.unraisablehook
    sys.unraisablehook = _interrupt_again
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell_warning
            return _run(list(sys.argv[1:] if arguments is None else arguments))
    finally:
        sys.unraisablehook = ignored


def _run(arguments: list[str]) -> int:
    try:
        from snaps.cli.app import run

        return run(arguments)
    except InputError as error:
        sys.stderr.write(f"snaps: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("snaps: interrupted\n")
        return 1
    except BrokenPipeError:
        return 1


def _interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Raise KeyboardInterrupt again where Python could not raise it, as in a destructor."""
    if not issubclass(ignored.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
    elif (main_thread := threading.main_thread().ident) is not None:
        # A moment later, when the place that cannot raise is left.
        again = threading.Timer(0.05, signal.pthread_kill, (main_thread, signal.SIGINT))
        again.daemon = True
        again.start()


def _tell_warning(message: Warning | str, category: type[Warning], *place: object, **_: object) -> None:
    """Write a warning as one line, without its place in the code."""
    sys.stderr.write(f"snaps: warning: {legible(str(message))}\n")
