"""Would the tests notice?  Small changes to the code, one at a time, each of which should make a test fail.

    python -m tests.mutation mininet/reversible mininet/autodiff

`operators` makes the changed programs, mutants; `runner` runs tests on each in a forked process; `report` prints how
many were killed and compares the survivors with those accepted in `equivalent.txt`.
"""
