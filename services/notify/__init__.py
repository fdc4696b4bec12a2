"""提醒: who is to be reminded of what, and that the reminder arrived."""
