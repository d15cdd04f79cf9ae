"""A first draft of a study's files from what a lab has: guesses are marked, what is not guessed is named."""
