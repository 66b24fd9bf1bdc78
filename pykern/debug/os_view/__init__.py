"""The OS view: processes are gdb's inferiors, tasks its threads, sleeping ones included."""
