"""What the suite's results look like: tables, the master chart, the report."""
