"""Fault injection: processes crash, servers are unreachable, messages are lost, handlers fail; acknowledged answers
stay true.
"""
