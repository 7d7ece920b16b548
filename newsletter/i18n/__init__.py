"""Languages: catalogs, dates, numbers, plurals."""
