"""Languages of the readers' pages and mail: catalogs, plurals, dates, numbers, directions."""
