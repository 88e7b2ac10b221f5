"""Identity's use cases: load, decide, store.

==============  ==========================================================
ports           what is outside, and what a use case has at hand
forms           what callers may send
signing_up      accounts, until their e-mail is confirmed
sessions        sign-in, refresh, passwords, the limit of failures
journey         phone, identity, profile: the steps to a credit
standing        suspension, erasure, birthdays
structures      offerers, attachments, API keys
questions       what is asked
==============  ==========================================================
"""
