"""`xiapai chaos`: commands under load while things break, and afterwards an account of what was promised and what is there.

The tests of faults give the same commands through the same clerks, and judge by the same verdict.
"""
