"""The chase/avoid game, and how chains of all kinds play it while they learn."""
