"""The student's report: the figures that it prints, its training records, and the rows of its tables."""
