"""ABI tables: which number is which system call, and what its arguments are called.

Data only. The kernel dispatches by them, strace prints by them, and the stubs of the user programs
are generated from them, so that a number is written down once.
"""
