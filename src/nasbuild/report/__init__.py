"""Room ``report``: what a person sees. What a run tells as plain data, drawn on one self-contained page."""

from nasbuild.report._chains import Chain, draw_architecture, draw_legend, draw_modules, draw_panels
from nasbuild.report._color import Palette
from nasbuild.report._explain import explain_data
from nasbuild.report._page import report_html, write_report

__all__ = [
    "Chain",
    "Palette",
    "draw_architecture",
    "draw_legend",
    "draw_modules",
    "draw_panels",
    "explain_data",
    "report_html",
    "write_report",
]
