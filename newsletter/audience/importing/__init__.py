"""CSV files into subscribers."""
