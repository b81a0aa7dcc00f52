"""Which runs settle a claim: arms, recipes, tiers, metrics, and the plans made of them."""
