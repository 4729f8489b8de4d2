"""What a run that is kept on disk finds beside its output, and what it leaves alone."""

from pathlib import Path

from snaps.cli.runs import kept_run


def test_what_other_runs_are_writing_is_left_alone(tmp_path: Path) -> None:
    """Outputs whose names begin alike lie in one folder, and each has its own run."""
    own = (".run.0a1b2c3d.partial", ".run.checkpoint.partial", ".run.checkpoint.network.safetensors.0a1b2c3d.partial")
    others = {".run.nc.0a1b2c3d.partial", ".run.zarr.0a1b2c3d.partial", ".run.zarr.checkpoint.partial"}
    for name in (*own, *others):
        (tmp_path / name).write_text("half")
    with kept_run(tmp_path / "run", scheduler=None, overwrite=False):
        assert {path.name for path in tmp_path.iterdir()} == others | {".run.lock"}
