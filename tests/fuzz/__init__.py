"""Random and broken input for everything that reads documents: see `docs/explanation/fuzzing.md`.

All generators draw from a `random.Random`. The campaign (`python -m tests.fuzz`) gives them seeded
ones, which costs microseconds; the tests give them hypothesis's `st.randoms`, through which it
records each draw and so can make a failing input smaller.
"""
