"""Panel: the controls of a multi-frame series in Nion Swift, and the way to the whole acquisition window."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from pathlib import Path
from typing import Any

from lbj import LbjError
from mfsi_core.acquisition import Recorder
from mfsi_core.host.calls import caller
from mfsi_core.window.server import WindowServer

from .instrument import NionSwift

CONTROLS = (  # name, label, what stands there at first
    ("corner", "Corner (y, x)", "0nm"),
    ("field", "Size (y, x)", "2nm"),
    ("pixel", "Pixel", "0.2nm"),
    ("current", "Probe current", "20pA"),
    ("dwell", "Dwell time", "35ms"),
    ("frames", "Frames", "10"),
    ("energy_steps", "Energy steps, eV", ""),
)
LOOK = 0.5  # s


class SeriesPanel:
    """Panel delegate of Swift's interface for plugins (`Facade.create_panel`)."""

    panel_id = "mfsi-series-panel"
    panel_name = "Multi-frame series"
    panel_positions = ("left", "right")
    panel_position = "right"

    def __init__(self, instrument: Any = NionSwift) -> None:
        self._instrument = instrument
        self.recorder: Recorder | None = None
        self._server: WindowServer | None = None
        self._watching: threading.Thread | None = None
        self.fields: dict[str, Any] = {}
        self.buttons: dict[str, Any] = {}

    def create_panel_widget(self, ui: Any, document_window: Any) -> Any:
        """Build the panel."""
        self._window = document_window
        column = ui.create_column_widget()
        rows = [("folder", "Session folder", str(Path.home() / "mfsi-session")), *CONTROLS]
        for name, label, text in rows:
            row = ui.create_row_widget()
            self.fields[name] = ui.create_line_edit_widget(text)
            self.fields[name].on_editing_finished = lambda _text: self._do(self.plan)
            row.add(ui.create_label_widget(label))
            row.add(self.fields[name])
            column.add(row)
        row = ui.create_row_widget()
        actions = {
            "Survey": self.survey,
            "Acquire": self.acquire,
            "New region": self.region,
            "Stop": self.stop,
            "More…": self.more,
        }
        for label, action in actions.items():
            self.buttons[label] = ui.create_push_button_widget(label)
            self.buttons[label].on_clicked = lambda action=action: self._do(action)
            row.add(self.buttons[label])
        column.add(row)
        self.status = ui.create_label_widget("Nothing is exposed yet.")
        column.add(self.status)
        return column

    def _do(self, action: Any) -> None:
        """Carry out what a button says; what is wrong is said in the panel."""
        try:
            action()
        except (LbjError, ValueError) as error:
            self._say(str(error))

    def _say(self, text: str) -> None:
        def write() -> None:
            self.status.text = text

        self._window.queue_task(write)  # only Swift's own thread may write there

    def _recorder(self) -> Recorder:
        folder = Path(self.fields["folder"].text).expanduser().absolute()
        if self.recorder is not None and self.recorder.folder != folder:
            self._leave()
        if self.recorder is None:
            self.recorder = Recorder(folder, self._instrument())
        return self.recorder

    def plan(self) -> None:
        """Take over the controls, and say what the series costs."""
        plan = self._changed().plan()
        if "error" in plan:
            self._say(plan["error"])
            return
        (rows, columns), time, dose = plan["pixels"], plan["frame_time_with_overheads_s"], plan["dose_per_frame"]
        total = plan["total_dose"]
        self._say(f"{rows} × {columns} pixels, {time:.4g} s and {dose:.4g} e/Å² a frame, {total:.4g} e/Å² in all")

    def _changed(self) -> Recorder:
        recorder = self._recorder()
        given: dict[str, Any] = {name: self.fields[name].text for name, _, _ in CONTROLS}
        given["frames"] = int(given["frames"])
        given["energy_steps"] = [float(step) for step in given["energy_steps"].split(",") if step.strip()]
        recorder.change(**given)
        return recorder

    def survey(self) -> None:
        """Take a survey, in a thread: Swift's own must go on."""
        recorder = self._recorder()

        def take() -> None:
            with contextlib.suppress(LbjError):  # told by the recorder's events
                recorder.survey()
            self._say(recorder.events()[-1]["text"])

        threading.Thread(target=take, daemon=True).start()

    def acquire(self) -> None:
        """Begin, or extend, the region."""
        recorder = self._changed()
        recorder.acquire(wait=False)
        self._watching = threading.Thread(target=self._watch, args=(recorder,), daemon=True)
        self._watching.start()

    def _watch(self, recorder: Recorder) -> None:
        while not recorder.wait(LOOK):
            self._say(f"region {recorder.state()['regions'][-1:]}: {recorder.frames} frames")
        self._say((recorder.outcome or {}).get("text", ""))

    def region(self) -> None:
        """Have the next series begin a new region."""
        self._say(f"the next frames go to region {self._recorder().new_region()}")

    def stop(self) -> None:
        """End the series after the present frame."""
        if self.recorder is not None:
            self.recorder.stop()

    def more(self) -> None:
        """Open the acquisition window in the browser, on the same recorder."""
        if self._server is None:
            recorder = self._recorder()
            self._server = WindowServer(caller(recorder), recorder.folder)
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = self._server.page("acquire.html")
        if not webbrowser.open(address):
            self._say(address)

    def _leave(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self.recorder is not None:
            self.recorder.close()
            self.recorder = None

    def close(self) -> None:
        """Close the session with the panel."""
        self._leave()


class SeriesExtension:
    """Swift finds the plugin by this class."""

    extension_id = "mfsi.multi-frame-series"

    def __init__(self, api_broker: Any) -> None:
        self._panel = api_broker.get_api(version="1", ui_version="1").create_panel(SeriesPanel())

    def close(self) -> None:
        """Take the panel away."""
        self._panel.close()
