"""Networks: clients that give proven blocks, and facts about each network."""
