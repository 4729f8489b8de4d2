from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, rand_score

from snaps.clustering import ClusteringChange, cluster, compare_clusterings
from snaps.errors import InputError
from tests.profiles.build import random_dataset

LABELS = st.lists(st.integers(1, 4), min_size=9, max_size=9)


def labels_of(numbers: list[int], groups: str = "abcdefghi") -> xr.DataArray:
    return xr.DataArray(numbers, dims="group", coords={"group": list(groups[: len(numbers)])})


@given(LABELS, LABELS)
def test_the_change_is_one_minus_the_rand_index(a: list[int], b: list[int]) -> None:
    result = compare_clusterings(labels_of(a), labels_of(b))
    pairs = list(combinations(range(9), 2))
    changed = sum((a[i] == a[j]) != (b[i] == b[j]) for i, j in pairs) / len(pairs)
    assert result.changed == pytest.approx(changed)
    assert result.changed == pytest.approx(1 - rand_score(a, b))
    assert result.adjusted_rand == pytest.approx(adjusted_rand_score(a, b))
    assert result.n_groups == 9
    swapped = compare_clusterings(labels_of(b), labels_of(a))
    assert swapped.changed == result.changed
    assert swapped.adjusted_rand == pytest.approx(result.adjusted_rand)


@given(LABELS, st.permutations(range(9)))
def test_groups_are_matched_by_name_and_numbers_do_not_matter(a: list[int], order: list[int]) -> None:
    one = labels_of(a)
    other = (10 - one).isel(group=list(order))
    assert compare_clusterings(one, other) == ClusteringChange(changed=0, adjusted_rand=1, n_groups=9)


def test_clusterings_will_do_for_labels() -> None:
    one, other = (cluster(random_dataset(seed), percentile=50) for seed in (0, 1))
    assert compare_clusterings(one, other) == compare_clusterings(one.labels, other.labels)
    assert compare_clusterings(one, one).changed == 0


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="'c' only in the first, 'x', 'y' only in the second"):
        compare_clusterings(labels_of([1, 1, 2]), labels_of([1, 1, 2, 2], "abxy"))
    with pytest.raises(InputError, match="at least two groups; received 'a'"):
        compare_clusterings(labels_of([1]), labels_of([1]))
    with pytest.raises(InputError, match="a clustering is a Clustering, or its labels"):
        compare_clusterings(np.array([1, 2]), labels_of([1, 2]))  # type: ignore[arg-type]
