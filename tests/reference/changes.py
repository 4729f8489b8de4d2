"""How much two clusterings of the same groups differ, definition (13), pair by pair."""

from collections.abc import Sequence
from itertools import combinations


def reference_changed(first: Sequence[int], second: Sequence[int]) -> float:
    """Fraction of pairs that are together in one clustering and apart in the other."""
    pairs = list(combinations(range(len(first)), 2))
    return sum((first[i] == first[j]) != (second[i] == second[j]) for i, j in pairs) / len(pairs)


def reference_adjusted_rand(first: Sequence[int], second: Sequence[int]) -> float:
    """Adjusted Rand index: pairs together in both, set against what chance would give."""
    pairs = list(combinations(range(len(first)), 2))
    both = sum(first[i] == first[j] and second[i] == second[j] for i, j in pairs)
    in_first = sum(first[i] == first[j] for i, j in pairs)
    in_second = sum(second[i] == second[j] for i, j in pairs)
    expected = in_first * in_second / len(pairs)
    largest = (in_first + in_second) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)
