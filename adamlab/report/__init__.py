"""The report: one HTML page with a study's answer, tables, figures, formulas and config, which loads nothing."""

from adamlab.report.page import write_report as write_report
