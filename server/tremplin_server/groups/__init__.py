"""Jump Groups, shared and personal, and who may use them."""
