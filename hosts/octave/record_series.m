% A worked example: records a small series, asks for its state and a map, and what an error looks like.
%
%   octave-cli record_series.m series.lbj [COMMAND ARGUMENT...]
%
% SPDX-License-Identifier: BSD-3-Clause

1;
addpath (fileparts (mfilename ("fullpath")));
arguments = argv ();
if numel (arguments) > 1
  host = mfsi_host (arguments{2}, arguments(3:end));
else
  host = mfsi_host ();
end
rows = 3; columns = 5; channels = 1024;
axes = {struct("name", "y"), struct("name", "x"), struct("name", "energy", "scale", 10, "units", "eV")};
edx = struct ("name", "EDX", "kind", "events", "shape", [rows columns channels], "axes", {axes});
haadf = struct ("name", "HAADF", "kind", "image", "shape", [rows columns], "dtype", "uint16");
series = struct ("path", arguments{1}, "metadata", struct ("beam_energy", 2e5));
series.elements = {"Ti"};
series.signals = {edx, haadf};
host.ask ("open", series);
for frame = 0:3
  image = uint16 (1000 * frame + reshape (0:rows * columns - 1, columns, rows)');
  data = struct ("EDX", mfsi_events ([0 7 7], [451 450 93 + frame]), "HAADF", mfsi_array (image));
  host.ask ("push", struct ("data", data, "attributes", struct ("dwell_time", 1e-4, "beam_current", 1.7e-11)));
end
status = host.ask ("status").status;
map = mfsi_values (host.ask ("map", struct ("name", "Ti_Ka")));
try
  host.ask ("map", struct ("name", "Fe_Ka"));
catch caught
  refused = [strrep(caught.identifier, "mfsi:", "") ": " caught.message];
end
host.ask ("close");

% The same host records from an instrument: here a simulated microscope.
recorder = struct ("folder", [regexprep(arguments{1}, '\.lbj$', "") "-recorded"], "instrument", "simulated");
recorder.options = struct ("seed", 3, "channels", 256);
recorder.settings = struct ("field", [1e-9 2e-9], "pixel", "0.1nm", "frames", 2);
host.ask ("recorder", recorder);
outcome = host.ask ("acquire", struct ("wait", true)).outcome;
survey = mfsi_values (host.ask ("survey"));
host.ask ("close");
host.close ();
flat = permute (map, [2 1]);
disp (jsonencode (struct ("frames", status.frames, "counts", status.counts, "shape", size (map), ...
                          "map", flat(:)', "refused", refused, ...
                          "outcome", outcome.text, "recorded", outcome.total, "survey", size (survey))));
