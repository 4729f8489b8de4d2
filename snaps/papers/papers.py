"""Numbers that the papers report, to stand beside one's own."""

from collections.abc import Mapping

#: SNAP, section 5.1: accuracies in percent, mean offset in ms, and phonemes whose majority is without offset.
ALIGNMENT: Mapping[str, Mapping[str, str]] = {
    "w2p_shallow": {
        "centre": "3.7 %", "aligned": "59.3 %", "window": "80.3 %", "ceiling": "93.6 %", "offset": "26 ms",
        "majority": "44 of 60",
    },
    "w2p": {
        "centre": "3.6 %", "aligned": "38.8 %", "window": "58.6 %", "ceiling": "93.6 %", "offset": "37 ms",
        "majority": "25 of 60",
    },
}  # fmt: skip
#: SNAP, section 5.3: mean silhouette of phonemes over the four thresholds, by network and layer.
SILHOUETTES: Mapping[tuple[str, str], float] = {
    ("w2l", "conv5"): 0.09,
    ("w2l_tl_frozen", "conv5"): 0.15,
    ("w2l_tl_finetuned", "conv5"): 0.16,
    ("w2l", "logits"): 0.31,
    ("w2l_tl_frozen", "logits"): 0.21,
}
