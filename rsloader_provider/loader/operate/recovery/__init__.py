"""What puts the ledger right: after a loss, and after Redshift was restored to an earlier moment."""
