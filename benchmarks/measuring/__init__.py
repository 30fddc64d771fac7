"""How every benchmark here measures: one kind of case, of row, of table, of command line."""
