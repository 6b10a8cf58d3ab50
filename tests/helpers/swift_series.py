"""Series in Nion Swift without a screen, on its simulated microscope: ``swift_series.py PLUGIN WHAT SESSION``."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
from nion.instrumentation.test import AcquisitionTestContext
from nion.swift import Facade
from nion.swift.test import TestContext
from nion.usim_device import DeviceConfiguration
from nion.utils import Geometry
from scipy.ndimage import uniform_filter

plugin, what, session = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
import nionswift_plugin  # noqa: E402

nionswift_plugin.__path__.append(str(plugin / "nionswift_plugin"))
from nionswift_plugin.mfsi.instrument import NionSwift  # noqa: E402
from nionswift_plugin.mfsi.panel import SeriesPanel  # noqa: E402

import lbj  # noqa: E402
from mfsi_core.acquisition import Recorder, Settings  # noqa: E402

SMALL = {"field": "8nm", "pixel": "2nm", "corner": "20nm,60nm", "current": "20pA", "dwell": "40ms", "frames": 2}


def series():
    """A survey, a region of it, energy steps, and the same once more."""
    scan = context.scan_hardware_source
    parameters = scan.get_current_frame_parameters()
    parameters.pixel_time_us, parameters.pixel_size = 50.0, Geometry.IntSize(128, 128)
    scan.set_current_frame_parameters(parameters)
    settings = Settings(**SMALL, energy_steps=[0.0, 5.0], on_completion=["blank"])
    with Recorder(session, NionSwift(), settings, analysis=False) as recorder:
        survey = recorder.survey()
        edge = round(8e-9 / survey.pixel)
        rate = uniform_filter(np.asarray(survey.image, float), edge) / 50e-6  # a second, of a region about each pixel
        inside = rate[edge:-edge, edge:-edge]
        place = np.array(np.unravel_index(inside.argmax(), inside.shape)) + edge - edge // 2
        recorder.change(corner=[float(p) * survey.pixel for p in place])
        outcome = recorder.acquire()
        assert outcome["reason"] == "frames", outcome
        outcome = recorder.acquire()
        assert outcome["total"] == 4, outcome
        assert context.instrument.GetVal("C_Blank") == 1.0
    with lbj.open(outcome["journal"]) as journal:
        assert len(journal) == 4
        eels, haadf = journal.signals["EELS"], journal.signals["HAADF"]
        assert eels.shape[:2] == haadf.shape == (4, 4)
        assert eels.axes[2]["units"] == "eV"
        assert journal.metadata["beam_energy"] == context.instrument.GetVal("EHT")
        assert [
            frame.energy_shift("EELS") if callable(frame.energy_shift) else frame.energy_shift["EELS"]
            for frame in journal
        ] == [0.0, 5.0, 0.0, 5.0]
        # The region lies where it was drawn, on the brightest part of the survey.
        found = np.mean([frame.array("HAADF").mean() for frame in journal]) / 40e-3
        assert found > (inside.max() + inside.mean()) / 2
        # The zero-loss peak moves by the step along the axis as recorded, and stays where the shift puts it.
        peaks = [int(frame.array("EELS").sum(axis=(0, 1)).argmax()) for frame in journal]
        step = 5.0 / eels.axes[2]["scale"]
        assert abs((peaks[0] - peaks[1]) - step) < 3, (peaks, step)


def stopped():
    """A frame that is not wanted any more is ended; what was complete stays."""
    with Recorder(
        session, NionSwift(), Settings(**{**SMALL, "field": "16nm", "frames": 50}), analysis=False
    ) as recorder:
        recorder.survey()
        recorder.acquire(wait=False)
        while recorder.frames < 1:
            time.sleep(0.05)
        recorder.stop()
        assert recorder.wait(60)
        assert recorder.outcome["reason"] == "stopped"
        kept = recorder.frames
    with lbj.open(session / "region-001" / "series.lbj") as journal:
        assert len(journal) == kept >= 1


def panel():
    """The panel's controls and buttons, as Swift calls them."""
    delegate = SeriesPanel()
    window = Facade.DocumentWindow(context.document_controller)
    delegate.create_panel_widget(Facade.UserInterface("~1.0", context.document_controller.ui), window)
    delegate.fields["folder"].text = str(session)
    for name, value in SMALL.items():
        delegate.fields[name].text = str(value)
    delegate.fields["dwell"].text = "1 mm"
    delegate._do(delegate.plan)
    until(lambda: "dwell" in delegate.status.text)
    delegate.fields["dwell"].text = "40ms"
    delegate._do(delegate.plan)
    until(lambda: "4 × 4 pixels" in delegate.status.text)
    delegate.buttons["Survey"].on_clicked()
    until(lambda: "survey" in delegate.status.text)
    delegate.buttons["Acquire"].on_clicked()
    until(lambda: delegate.status.text == "2 frames were recorded", 60)
    delegate.close()
    with lbj.open(session / "region-001" / "series.lbj") as journal:
        assert len(journal) == 2


def until(true, seconds=240):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it stays false"
        context.document_controller.periodic()
        time.sleep(0.05)


setup = TestContext.TestSetup()  # kept: it holds the event loop
with AcquisitionTestContext.AcquisitionTestContext(
    DeviceConfiguration.AcquisitionContextConfiguration(), is_eels=True
) as context:
    work = {"series": series, "stopped": stopped, "panel": panel}[what]
    if what == "panel":
        work()
    else:
        failed = []

        def run():
            try:
                work()
            except BaseException as error:  # noqa: BLE001 raised again below
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            context.document_controller.periodic()
            time.sleep(0.02)
        if failed:
            raise failed[0]
print("as it should be")
