"""Fuzz one target until the time is up or there is a finding; `fuzzing.readers` starts this process."""

import sys

import atheris

with atheris.instrument_imports(include=["snaps.datasets", "snaps.errors"]):
    import snaps.datasets
    from fuzzing.targets import TARGETS

#: Limit of samples: longer audio takes time and memory without reaching other code. Tests cover the real limit.
SHORTEST_BOMB = 1 << 22


def main() -> None:
    """Run libFuzzer with the options that follow the target's name."""
    name, *options = sys.argv[1:]
    snaps.datasets.audio.MOST_SAMPLES = SHORTEST_BOMB
    atheris.Setup([sys.argv[0], *options], TARGETS[name]().check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
