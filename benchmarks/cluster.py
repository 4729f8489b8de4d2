"""Blocks and hours of runs over a cluster: the table of docs/scale.md.

Run as ``python -m benchmarks.cluster``. Nothing is measured here: the table follows from how a corpus is cut into
blocks, and from the time that full W2L takes for one recording.
"""

from snaps.profiling.blocks import cut_into_blocks

#: Bytes of the sums of 61 phonemes and 28 letters, by the layers of full W2L that are tapped.
SUMS = {"all 13 layers": 351_000_000, "`input`, `conv5`, `logits`": 75_000_000}
#: Recordings of a corpus, and seconds of one: on two cores (200 frames/s), and on a GPU (6,000 frames/s, assumed).
CORPORA = {"TIMIT": (6_300, {"CPU": 0.45, "GPU": 0.015}), "LibriSpeech, 960 h": (281_000, {"CPU": 3.7, "GPU": 0.12})}
#: Workers of one thread, each of which computes one block at a time.
CLUSTERS = [("CPU", 4), ("CPU", 64), ("GPU", 16)]


def main() -> None:
    """Print the table."""
    print("| corpus | layers | blocks | recordings of a block | workers | minutes a block | hours of the run |")
    print("|---|---|---|---|---|---|---|")
    for corpus, (n_recordings, seconds) in CORPORA.items():
        for layers, n_bytes in SUMS.items():
            blocks = cut_into_blocks(n_recordings, n_bytes)
            for kind, workers in CLUSTERS:
                minutes = blocks[0].stop * seconds[kind] / 60
                hours = -(-len(blocks) // workers) * minutes / 60
                print(
                    f"| {corpus} | {layers} | {len(blocks)} | {blocks[0].stop:,} | {workers} × {kind} "
                    f"| {minutes:,.1f} | {hours:,.2f} |"
                )


if __name__ == "__main__":
    main()
