"""List what lies in folders, tables and tars, with the sidecars and lineart that belong to each picture."""
