"""Memory: frames, page tables of the kernel, kernel heap and stacks, user address spaces."""
