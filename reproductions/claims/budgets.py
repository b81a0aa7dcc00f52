"""What trained claims share: numbers of seeds, and what each tier shrinks."""

SEEDS = {"smoke": 1, "laptop": 5, "night": 3, "paper": 5}
# For "no difference" and "not worse".
MORE_SEEDS = {**SEEDS, "paper": 10}
# For what the small tiers cannot decide.
FITTED = {"smoke": 1, "paper": 5}
MORE_FITTED = {"smoke": 1, "paper": 10}

# A thousand images, another thousand each seed, as they are: what nets overfit.
FEW = {"images_drawn": 1_000, "flip": False, "pad": 0}
# The training loss at which their generalisation is compared: about 85 % of the images are right.
FITTED_LOSS = {"smoke": 0.5, "laptop": 0.5, "night": 0.5, "paper": 0.5}

ALL_TIERS = ("laptop", "night", "paper")

SMOKE = "everything: a few steps on a few generated images test the plumbing."
LAPTOP = "10,000 images of 16x16 pixels, half of the filters, 312 steps."
NIGHT = "1,170 steps."
