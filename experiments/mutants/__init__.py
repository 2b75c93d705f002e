"""Wrong backwards made by machine: the subjects, two ways to break them, and what the checker says of each."""
