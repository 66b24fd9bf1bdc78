"""The hosted kernel: policy in Python, mechanism in guest code."""
