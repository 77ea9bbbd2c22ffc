"""The catalog: the only place that knows Parquet, SQL and column names."""
