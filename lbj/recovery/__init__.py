"""Recovery: damaged journals: what is wrong with them, and what can be saved.

digests.py  CRC-32 of nested stretches of a file, in time linear in the file
groups.py   check one frame group that was found by salvage: decode everything and compare with what is stated
recover.py  copy every completed frame of a damaged journal into a new one
salvage.py  walk a damaged file from record to record, past what is broken (spec/lbj.md section 9)
verify.py   every digest and every cross-check of the specification
"""
