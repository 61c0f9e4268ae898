# Writes media/datasets/facts.parquet with the rows of facts.csv, as an example of a Parquet file written by Python. Run by hand after
# writeDatasets.mjs: pip install pyarrow, then python extension/scripts/embedded/writeParquet.py
import csv
import pathlib

import pyarrow
import pyarrow.parquet

datasets = pathlib.Path(__file__).parents[3] / "media" / "datasets"
with open(datasets / "facts.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), datasets / "facts.parquet", compression="snappy")
