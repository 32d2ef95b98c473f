"""Results for other programs: as files of netCDF, zarr, Parquet or CSV, and tables for papers."""

from adamlab.exporting.files import export as export
from adamlab.exporting.files import tables as tables
from adamlab.exporting.files import write_csv as write_csv
from adamlab.exporting.typesetting import as_latex as as_latex
from adamlab.exporting.typesetting import as_markdown as as_markdown
from adamlab.exporting.typesetting import table_text as table_text
