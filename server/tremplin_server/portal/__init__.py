"""The support portal: the public page on which a person in need of help arrives."""
