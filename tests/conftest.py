"""What every test shares: repeatable random tests."""

from hypothesis import settings

# No deadline, because no test looks at the host clock; derandomised, because the same tree must
# give the same result on every host.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("long", settings.get_profile("repeatable"), max_examples=20_000)
settings.load_profile("repeatable")
