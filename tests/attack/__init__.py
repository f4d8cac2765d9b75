"""What a fresh reader broke: each test is one defect that was found."""
