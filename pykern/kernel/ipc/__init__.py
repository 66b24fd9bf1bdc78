"""Messages between tasks."""
