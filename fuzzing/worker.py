"""Fuzz one target until time is up or something is found: a process of its own, which `fuzzing.readers` starts."""

import sys

import atheris

with atheris.instrument_imports(include=["snaps.datasets", "snaps.errors"]):
    import snaps.datasets
    from fuzzing.targets import TARGETS

#: What longer audio takes is time and memory alone, up to limits that are tested elsewhere.
SHORTEST_BOMB = 1 << 22


def main() -> None:
    """Run libFuzzer with the options behind the target's name."""
    name, *options = sys.argv[1:]
    snaps.datasets.audio.MOST_SAMPLES = SHORTEST_BOMB
    atheris.Setup([sys.argv[0], *options], TARGETS[name]().check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
