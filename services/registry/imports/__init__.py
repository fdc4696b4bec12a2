"""Import of the district's workbook: a job that becomes the commands that would have made each row so."""
