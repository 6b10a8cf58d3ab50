% A client of `mfsi host` for GNU Octave 7 or later: one JSON object a line each way (`mfsi host --schema`).
%
%   host = mfsi_host ();                       % starts `mfsi host`; mfsi_host ("python", {"-m", "mfsi_core.cli", "host"})
%   host.ask ("open", struct ("path", "series.lbj", "signals", {{...}}));
%   host.ask ("push", struct ("data", struct ("EDX", mfsi_events (pixel, channel), "HAADF", mfsi_array (image))));
%   map = mfsi_values (host.ask ("map", struct ("name", "Ti_Ka")));
%   host.close ();                             % ends the host, which closes the journal
%
% An answer that is an error is raised: its identifier is "mfsi:UsageError", ... A host that died is "mfsi:ended".
%
% SPDX-License-Identifier: BSD-3-Clause

function host = mfsi_host (program = "mfsi", arguments = {"host"})
  [to, from, pid] = popen2 (program, arguments);
  if pid < 0
    error ("mfsi:ended", "the host %s cannot be started", program);
  end
  host = struct ("ask", @(varargin) ask (to, from, pid, varargin{:}), "close", @() finish (to, from, pid));
end

function answer = ask (to, from, pid, what, fields = struct ())
  fields.do = what;
  fputs (to, [jsonencode(fields) "\n"]);
  fflush (to);
  line = "";
  while isempty (line) || line(end) != "\n"
    ended = waitpid (pid, WNOHANG ()) != 0; % looked at before reading, so that a last answer is read
    part = fgets (from);
    if ischar (part)
      line = [line part];
    elseif ended
      error ("mfsi:ended", "the host ended while it was asked to %s", what);
    else
      fclear (from); % nothing there yet: reading does not wait
      pause (0.001);
    end
  end
  answer = jsondecode (line);
  if ! answer.ok
    error (["mfsi:" answer.error], "%s", answer.message);
  end
end

function finish (to, from, pid)
  fclose (to);
  waitpid (pid);
  fclose (from);
end
