"""What a person reads in a browser: documentation, explanations of problems, the pages that links in mails lead to."""
