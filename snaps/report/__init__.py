"""The report: one page that shows profiles, their clusters and where they come from. It computes nothing."""

from snaps.report.alignment import alignment_sections, write_alignment
from snaps.report.blocks import Block, LabelSet, LabelSets, Picture, Section, Table
from snaps.report.comparison import comparison_sections, write_comparison
from snaps.report.evidence import faithfulness_sections, write_faithfulness
from snaps.report.lags import saliency_section, units_section
from snaps.report.maps import maps_section, methods_section
from snaps.report.page import write_report

__all__ = [
    "Block",
    "LabelSet",
    "LabelSets",
    "Picture",
    "Section",
    "Table",
    "alignment_sections",
    "comparison_sections",
    "faithfulness_sections",
    "maps_section",
    "methods_section",
    "saliency_section",
    "units_section",
    "write_alignment",
    "write_comparison",
    "write_faithfulness",
    "write_report",
]
