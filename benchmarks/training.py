"""Error rates on unseen speakers against the seconds of training: the table of docs/training.md.

    python -m benchmarks.training --widths 32 64 96 128 --networks w2p_shallow w2p_shallow/frames w2l

The corpus is synthesised once. Every network is trained for a fixed number of epochs, and tested on speakers and
sentences that it was not trained on; silences are not scored. For phoneme networks the table also has the share of
frames whose predicted phoneme is annotated at the centre, and at the peak of sensitivity.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from snaps.datasets import load_timit
from snaps.papers import BAND_SHIFT, SILENCES
from snaps.profiling import evaluate_alignment
from snaps.speech import synthesize_corpus
from snaps.training import create_network, evaluate, symbols_for, train

#: Architecture, labels, start and epochs of each network.
NETWORKS = {
    "w2p_shallow": ("w2p_shallow", "phoneme", None, 14),
    "w2p_shallow/frames": ("w2p_shallow", "phoneme", "frames", 14),
    "w2p": ("w2l", "phoneme", None, 14),
    "w2l": ("w2l", "letter", None, 14),
}


def main() -> None:
    """Train and test each network, and print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["w2p_shallow", "w2p_shallow/frames", "w2l"])
    parser.add_argument("--widths", nargs="+", type=int, default=[32, 64, 96, 128])
    parser.add_argument("--epochs", type=int, help="instead of each network's own number")
    parser.add_argument("--speakers", type=int, default=136)
    parser.add_argument("--test-speakers", type=int, default=56)
    parser.add_argument("--corpus", type=Path, help="folder to keep the corpus in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.corpus or Path(folder) / "corpus"
        if not root.exists():
            synthesize_corpus(root, speakers=arguments.speakers, test_speakers=arguments.test_speakers, progress=False)
        learned, judged = load_timit(root, split="train"), load_timit(root, split="test", dialect_sentences="drop")
        print(f"{len(learned)} recordings to train on, {len(judged)} to test on, {torch.get_num_threads()} threads")
        print("| network | width | epochs | seconds | errors | blanks | centre | peak | ± 2 steps |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name in arguments.networks:
            preset, labels, start, epochs = NETWORKS[name]
            symbols = symbols_for(load_timit(root), labels)
            for width in arguments.widths:
                network = create_network(symbols, preset, width=width, seed=0)
                begun = time.perf_counter()
                result = train(
                    network, learned, labels=labels, epochs=arguments.epochs or epochs, warm_start=start,
                    band_shift=BAND_SHIFT, progress=False,
                )  # fmt: skip
                seconds = time.perf_counter() - begun
                errors = evaluate(result.model, judged, labels=labels, fold=SILENCES, progress=False).error_rate
                cells = [name, str(width), str(len(result.history)), f"{seconds:.0f}", f"{100 * errors:.1f} %"]
                cells.append(f"{100 * result.history['blanks'].iloc[-1]:.0f} %")
                if labels == "phoneme":
                    found = evaluate_alignment(result.model, judged, progress=False)["accuracy"]
                    cells += [f"{100 * float(found.sel(criterion=c)):.1f} %" for c in ("centre", "aligned", "window")]
                else:
                    cells += ["", "", ""]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
