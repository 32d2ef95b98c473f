"""Results for other programs: as files of netCDF, zarr, Parquet or CSV, and tables for papers."""
