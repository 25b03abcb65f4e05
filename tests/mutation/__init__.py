"""Would the tests notice?  Small changes to the code, one at a time, each of which should make a test fail.

    python -m tests.mutation mininet/reversible mininet/autodiff

`operators` makes the changed programs, mutants; `selection` knows which tests pass through which lines; `runner` runs
them on each mutant, which `exchange` puts in place, in one of the `processes`; `report` prints how many were killed and
compares the survivors with those accepted in `equivalent.txt`.
"""
