"""What puts the ledger right: after a loss, after Redshift was restored, and when a load gets another name."""
