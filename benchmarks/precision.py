"""Correlation of SNAPs in lower precision with those in float32, layer by layer.

Run as ``python -m benchmarks.precision MODEL.safetensors timit:PATH`` on a trained network.
"""

import argparse

import numpy as np

import snaps
from snaps.datasets import load_corpus


def main() -> None:
    """Compute profiles in every precision, and print the correlations of their SNAPs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--split", default="test")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    model, corpus = snaps.load_model(options.model), load_corpus(options.corpus, split=options.split)
    reduced = ["tf32", "bfloat16"] if options.device.startswith("cuda") else ["bfloat16"]
    trees = {
        precision: snaps.compute_profiles(
            model, corpus, groupings=["phoneme"], device=options.device, precision=precision
        )
        for precision in ("float32", *reduced)
    }
    print(f"{'layer':8s}" + "".join(f"{precision:>14s}" for precision in reduced))
    for layer in trees["float32"]["phoneme"].children:
        exact = snaps.snap(trees["float32"][f"phoneme/{layer}"]).values.ravel()
        row = [
            np.corrcoef(exact, snaps.snap(trees[precision][f"phoneme/{layer}"]).values.ravel())[0, 1]
            for precision in reduced
        ]
        print(f"{layer:8s}" + "".join(f"{value:14.5f}" for value in row))


if __name__ == "__main__":
    main()
