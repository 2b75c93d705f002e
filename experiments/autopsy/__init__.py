"""Why the report's figures were low: its defects one by one, in a right network and in the author's.

`variants` lists what is trained, `course` trains it and compares gradients after every epoch, `verdicts` asks the
gradient checker, `ranking` orders the defects by harm, and `figures` and `findings` present the results.
"""
