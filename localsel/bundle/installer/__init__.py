"""What every bundle carries: its folder → what is wrong with it, or an environment made of it.

For a machine that has Python and nothing else. So nothing here imports anything of localsel, and
all of it keeps to what older Pythons understand: the wrong one is to hear a sentence.
"""
