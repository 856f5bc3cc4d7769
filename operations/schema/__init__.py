"""Schema checks: every input of a program held against what its vendor publishes, without an account.

Read it in this order: `recorder` and `mocked` (what a program asks for), `sdk` (the SDK's exact names and types),
`models` (which of the vendor's models belongs to a type), `translate` (the SDK's names in the vendor's), `validate`,
`references`, `check`. The vendors' packages are in operations/requirements-schema.txt; nothing else needs them.
"""
