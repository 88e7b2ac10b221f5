"""Identity's rules: accounts, credits that are open to a person, structures.

============  =====================================================================
people        a person's data: names, birth date, numbers; how they are compared
eligibility   who may be credited, and between which instants
phones        limits of the codes sent to a phone
checks        the items of an identity check and their result
accounts      the account and its steps, from the e-mail to the credit
offerers      the structure (SIREN), the accounts attached to it, its API keys
passwords     how strong a password must be
============  =====================================================================
"""
