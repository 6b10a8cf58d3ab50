% The values of an answer that is an array.
%
% SPDX-License-Identifier: BSD-3-Clause

function values = mfsi_values (answer)
  names = struct ("float32", "single", "float64", "double");
  type = answer.dtype;
  if isfield (names, type)
    type = names.(type);
  end
  flat = typecast (uint8 (matlab.net.base64decode (answer.base64)), type);
  shape = answer.shape(:)';
  values = permute (reshape (flat, fliplr (shape)), numel (shape):-1:1);
end
