"""Will a flight from New York arrive more than 30 minutes late? Steps as plain functions, a thin flow around them."""
