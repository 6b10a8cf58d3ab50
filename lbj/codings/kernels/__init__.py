"""Kernels: the compiled loops of the codings.

bits.py        bit-level primitives shared by the compiled kernels
chart.py       compiled kernel of chart (spec/lbj.md 8.9.3)
fit.py         normal equations of the least-squares fit of predictors (taps)
integers.py    compiled kernels of the integer coder; the clauses are those of spec/lbj.md section 8.5
leb128.py      compiled kernels of leb128 (spec/lbj.md section 8.2)
quantiser.py   compiled kernels of the quantiser; the clauses are those of spec/lbj.md section 8.8
split_rice.py  compiled kernels of split-rice; the clauses are those of spec/lbj.md section 8.3
"""
