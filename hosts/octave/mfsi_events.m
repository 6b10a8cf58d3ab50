% Counts as the data of a signal: pixel = row * columns + column and channel, both from 0 on; how many, 1 when absent.
%
% SPDX-License-Identifier: BSD-3-Clause

function data = mfsi_events (pixel, channel, count = [])
  data = struct ();
  data.pixel = num2cell (double (pixel(:)')); % a cell stays a list, also of one
  data.channel = num2cell (double (channel(:)'));
  if ! isempty (count)
    data.count = num2cell (double (count(:)'));
  end
end
