"""Why the report's figures were low: its defects one by one, in a right network and in the author's.

`variants` says what is trained, `course` trains it and compares gradients on the way, `verdicts` asks the checker,
`summary` ranks by harm, `figures` and `findings` show and tell it.
"""
