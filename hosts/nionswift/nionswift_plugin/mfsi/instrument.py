"""Nion Swift's scan and EELS camera as an instrument of the recorder."""

from __future__ import annotations

import copy
import threading
import uuid
from typing import Any

import numpy as np
from nion.instrumentation import Acquisition, HardwareSource, stem_controller
from nion.utils import Geometry, Registry

from lbj import Signal, UsageError
from mfsi_core.instruments.protocol import Abilities, Exposure, Frame, Picture, Request

from .rows import Rows

EELS, HAADF = "EELS", "HAADF"
NM = 1e-9
CONFIRM = 3000  # ms for a control to reach its value


class NionSwift:
    """Scan and EELS camera of the Nion Swift that this runs in; see `mfsi_core.instruments.protocol.Instrument`.

    Parameters
    ----------
    scan, camera : str, optional
        Identifiers of the hardware sources; default: the microscope's scan and its EELS camera.
    channel : int
        Of the scan, with the annular detector.
    energy_control, blank_control : str
        Names of the instrument's controls: offset of the energy axis, eV; 1 blanks the beam.

    Raises
    ------
    UsageError
        Where there is no microscope, scan or camera.
    """

    def __init__(
        self,
        *,
        scan: str | None = None,
        camera: str | None = None,
        channel: int = 0,
        energy_control: str = "ZLPoffset",
        blank_control: str = "C_Blank",
    ) -> None:
        controller = Registry.get_component("stem_controller")
        if not isinstance(controller, stem_controller.STEMController):
            raise UsageError("no microscope is configured in Nion Swift")
        self._controller = controller
        self._scan = _source(scan) if scan else controller.scan_controller
        self._camera = _source(camera) if camera else controller.eels_camera
        if self._scan is None or self._camera is None:
            raise UsageError("the microscope in Nion Swift has no scan, or no EELS camera")
        self._channel, self._energy, self._blank = channel, energy_control, blank_control
        self._exposure: Exposure | None = None
        self._context = copy.deepcopy(self._scan.get_current_frame_parameters())
        self._offset = self._value(energy_control)
        self._serial = 0

    def _value(self, control: str) -> float | None:
        known, value = self._controller.TryGetVal(control)
        return value if known else None

    def abilities(self) -> Abilities:
        """As `Instrument.abilities`."""
        return Abilities(
            "Nion Swift", [EELS, HAADF], [EELS, HAADF], survey=True, energy=self._offset is not None,
            blank=self._value(self._blank) is not None,
        )  # fmt: skip

    def survey(self) -> Picture:
        """As `Instrument.survey`: with the scan's present settings; its upper left corner is (0, 0)."""
        self._context = copy.deepcopy(self._scan.get_current_frame_parameters())
        self._context.subscan_pixel_size = None
        found = self._scan.record_immediate(self._context)
        images = [one for one in found if one is not None]
        if len(images) <= self._channel:
            raise UsageError(f"the scan has no channel {self._channel} that is switched on")
        return Picture(np.asarray(images[self._channel].data), self._survey_pixel)

    @property
    def _survey_pixel(self) -> float:
        return float(self._context.fov_nm) * NM / max(self._context.pixel_size)

    def prepare(self, exposure: Exposure | None, _stop: threading.Event) -> tuple[list[Signal], dict[str, Any]]:
        """As `Instrument.prepare`."""
        assert exposure is not None
        whole = np.array(self._context.pixel_size) * self._survey_pixel  # m
        corner, size = np.array(exposure.corner), np.array(exposure.pixels) * exposure.pixel
        if (corner < 0).any() or (corner + size > whole * (1 + 1e-9)).any():
            raise UsageError(
                f"the region leaves the survey, which spans {whole[0] / NM:.4g} x {whole[1] / NM:.4g} nm (y, x): "
                "take another survey, or move the region"
            )
        self._parameters = copy.deepcopy(self._context)
        self._parameters.subscan_pixel_size = Geometry.IntSize(*exposure.pixels)
        self._parameters.subscan_fractional_size = Geometry.FloatSize(*(size / whole))
        self._parameters.subscan_fractional_center = Geometry.FloatPoint(*((corner + size / 2) / whole))
        self._parameters.pixel_time_us = exposure.dwell * 1e6
        self._readout = copy.deepcopy(self._camera.get_current_frame_parameters())
        self._readout.processing = "sum_project"
        self._readout.exposure = exposure.dwell
        self._exposure = exposure
        info = self._scan.grab_synchronized_get_info(
            scan_frame_parameters=self._parameters, camera=self._camera, camera_frame_parameters=self._readout
        )
        (channels,), axis = info.camera_readout_size_squeezed, info.data_calibrations[-1]
        plane = [{"name": name, "offset": 0.0, "scale": exposure.pixel, "units": "m"} for name in "yx"]
        energy = {"name": "energy", "offset": axis.offset, "scale": axis.scale, "units": axis.units or ""}
        wanted = exposure.signals or [EELS, HAADF]
        signals = []
        if EELS in wanted:
            shape = (*exposure.pixels, int(channels))
            signals.append(Signal(EELS, "spectra", shape, dtype="float32", axes=[*plane, energy]))
        if HAADF in wanted:
            signals.append(Signal(HAADF, "image", exposure.pixels, dtype="float32", axes=plane))
        metadata: dict[str, Any] = {"microscope": str(self._controller.instrument_id)}
        voltage = self._value("EHT")
        if voltage:
            metadata["beam_energy"] = float(voltage)
        return signals, metadata

    def acquire(self, request: Request) -> Frame | None:
        """As `Instrument.acquire`."""
        exposure = self._exposure
        assert exposure is not None
        if self._offset is not None:
            self._controller.SetValAndConfirm(self._energy, self._offset + request.energy_shift, 1.0, CONFIRM)
        self._parameters.scan_id = uuid.uuid4()
        rows = Rows(request.stop, self._scan.grab_synchronized_abort)
        self._scan.grab_synchronized(
            data_channel=rows, scan_frame_parameters=copy.deepcopy(self._parameters), camera=self._camera,
            camera_frame_parameters=copy.deepcopy(self._readout),
        )  # fmt: skip
        found = {
            EELS: rows.whole(Acquisition.Channel(self._camera.hardware_source_id)),
            HAADF: rows.whole(Acquisition.Channel(self._scan.hardware_source_id, str(self._channel))),
        }
        data = {name: found[name] for name in exposure.signals or [EELS, HAADF]}
        if any(value is None for value in data.values()):
            if request.stop.is_set():
                return None
            raise RuntimeError("Nion Swift ended the scan before it was complete")
        self._serial += 1
        attributes: dict[str, Any] = {"dwell_time": exposure.dwell}
        if EELS in data:
            attributes["exposure"] = {EELS: exposure.dwell}
            attributes["energy_shift"] = {EELS: request.energy_shift}
        return Frame({name: np.asarray(value, np.float32) for name, value in data.items()}, attributes, self._serial)

    def blank(self) -> None:
        """As `Instrument.blank`."""
        self._controller.SetValAndConfirm(self._blank, 1.0, 1.0, CONFIRM)

    def close(self) -> None:
        """As `Instrument.close`: the energy axis is put back."""
        if self._offset is not None:
            self._controller.SetVal(self._energy, self._offset)


def _source(identifier: str) -> Any:
    found = HardwareSource.HardwareSourceManager().get_hardware_source_for_hardware_source_id(identifier)
    if found is None:
        raise UsageError(f"Nion Swift has no hardware source {identifier!r}")
    return found
