"""What is ARM's: so far its page tables, behind the protocol that x86's are behind (RMP-04)."""
