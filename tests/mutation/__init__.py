"""Mutation testing of the rules of money: each small change of a rule must make a unit test fail.

``make mutation`` runs it. The operators are those of cosmic-ray. A mutant runs in a forked process, so that it costs
the import of one service and the tests up to the first failure.
"""
