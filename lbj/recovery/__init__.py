"""Recovery of damaged journals: finding what is wrong (`lbj verify`) and saving the rest (`lbj recover`).

digests.py  CRC-32 of records nested in one another, in time linear in the file
groups.py   everything is decoded and compared with what the frame states
recover.py  recover (`lbj recover`): every completed frame of a damaged journal is copied into a new one
salvage.py  all valid records of a damaged file are found, past what is broken (spec/lbj.md section 9)
verify.py   verify a journal (`lbj verify`): every digest and every cross-check of the specification
"""
