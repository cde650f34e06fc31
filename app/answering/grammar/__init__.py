"""As much of the grammar of questions as it takes to complete a follow-up."""
