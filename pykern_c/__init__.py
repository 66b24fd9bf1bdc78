"""The computer: CPU, MMU and TLB, interrupt controllers, clock; typed Cython.

Nothing in here knows any kernel. The face is `Machine`, `Vcpu`, `Exit`.
"""
