% An image (rows, columns) or spectra (rows, columns, channels) as the data of a signal, in its own class.
%
% SPDX-License-Identifier: BSD-3-Clause

function data = mfsi_array (values)
  names = struct ("single", "float32", "double", "float64");
  dtype = class (values);
  if isfield (names, dtype)
    dtype = names.(dtype);
  end
  bytes = typecast (reshape (permute (values, ndims (values):-1:1), 1, []), "uint8"); % C order: the last axis first
  data = struct ("dtype", dtype, "shape", size (values), "base64", matlab.net.base64encode (bytes));
end
