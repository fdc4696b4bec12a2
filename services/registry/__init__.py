"""登记: who is posted where."""
