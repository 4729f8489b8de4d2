from typing import Final

from snaps.alignment import LRP as LRP
from snaps.alignment import Aligner as Aligner
from snaps.alignment import Sensitivity as Sensitivity
from snaps.alignment import Unaligned as Unaligned
from snaps.clustering import cluster as cluster
from snaps.clustering import compare_clusterings as compare_clusterings
from snaps.clustering import compare_models as compare_models
from snaps.clustering import distances as distances
from snaps.clustering import silhouette_sweep as silhouette_sweep
from snaps.datasets import Interval as Interval
from snaps.datasets import Recording as Recording
from snaps.datasets import load_textgrids as load_textgrids
from snaps.datasets import load_timit as load_timit
from snaps.faithfulness import evaluate_faithfulness as evaluate_faithfulness
from snaps.models import Wav2Letter as Wav2Letter
from snaps.models import load_model as load_model
from snaps.models import save_model as save_model
from snaps.profiles import contrast as contrast
from snaps.profiles import filter_groups as filter_groups
from snaps.profiles import nap as nap
from snaps.profiles import navai as navai
from snaps.profiles import open_profiles as open_profiles
from snaps.profiles import regroup as regroup
from snaps.profiles import save_profiles as save_profiles
from snaps.profiles import snap as snap
from snaps.profiling import compute_profiles as compute_profiles
from snaps.profiling import evaluate_alignment as evaluate_alignment
from snaps.profiling import frame_table as frame_table
from snaps.report import write_report as write_report
from snaps.responses import tap as tap
from snaps.speech import synthesize_corpus as synthesize_corpus
from snaps.training import train as train
from snaps.training import transfer as transfer

__version__: Final[str]
