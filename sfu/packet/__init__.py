"""Wire formats: functions of their arguments, no state of their own."""
