"""Finds what a policy may want out of a text: secrets, personal data, special categories, and what plug-ins look for."""
