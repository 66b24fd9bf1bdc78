"""The instructions: definitions, the grammar of their rows, and what is made from them."""
