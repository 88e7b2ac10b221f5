"""Who people and structures are, and what they may ask for.

============  =====================================================================
errors        how identity says no, as a tree
people        a person's data: names, birth date, numbers; how they are compared
eligibility   who may be credited, from when until when
phones        limits of the codes sent to a phone
checks        the items of an identity check and what they add up to
accounts      the account and its steps, from the e-mail to the credit
offerers      the structure (SIREN), who acts for it, its API keys
passwords     what a password must be
============  =====================================================================
"""
