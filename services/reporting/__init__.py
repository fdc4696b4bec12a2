"""汇报: what posted cadres report, to whom, and by when."""
