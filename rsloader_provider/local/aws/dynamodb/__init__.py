"""A DynamoDB in memory: what moto's lacks is speed with 100,000 items and transactions that are atomic.

`expressions` reads the four expression languages, `values` compares and measures, `tables` keeps items in order,
`writes`, `reads` and `transactions` are the operations, `engine` names them all. One lock round every request makes
each atomic. Stored items are never changed in place, so an answer can be rendered after the lock is released.
"""
