"""`snaps align`: what it writes, says and refuses."""

import json
from pathlib import Path

import pytest
import xarray as xr

from tests.cli.commands import Invoke, contents, sentence


def test_aligners_of_a_network_of_other_symbols(invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    given = [checkpoint, "sensitivity:max", "lrp-epsilon", "--corpus", f"timit:{corpus}", "--out", tmp_path / "out"]
    assert "2 aligners are named" in sentence(invoke("align", *given, "--quiet"))
    told = sentence(invoke("align", *given, "--compare", "--quiet"))
    assert "which the network cannot predict" in told
    assert "'iy', 's'" in told
    assert contents(tmp_path) == {}
    options = ["--compare", "--tables-only", "--ignore", "", "--quiet", "--json"]
    done = invoke("align", *given, *options)
    assert done.status == 0, done.err
    outcome = json.loads(done.out)
    found = xr.load_dataset(tmp_path / "out" / "alignment.nc", engine="h5netcdf")
    assert list(found["aligner"].values) == ["sensitivity:max", "lrp-epsilon"]
    assert outcome["frames"] == int(found["table"].sel(moment="after", aligner="lrp-epsilon").sum())
    for file in ("report.html", "table.csv", "lrp-epsilon.png", "sensitivity-max.png"):
        assert (tmp_path / "out" / file).stat().st_size > 0
    assert "exists" in sentence(invoke("align", *given, *options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["lrp-delta"], "the saliency method is 'lrp-delta'; accepted are 'sensitivity'"),
        (["sensitivity:highest"], "peak is 'highest'"),
        (["--window", "-1", "--tables-only"], "window is -1"),
    ],
)
def test_what_it_refuses(
    invoke: Invoke, checkpoint: Path, corpus: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    done = invoke("align", checkpoint, *options, "--corpus", f"timit:{corpus}", "--out", tmp_path / "out", "--quiet")
    assert told in sentence(done)
    assert contents(tmp_path) == {}
