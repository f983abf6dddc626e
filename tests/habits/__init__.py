"""The operators against a gateway that keeps the contract, but whose answers and reports have habits."""
