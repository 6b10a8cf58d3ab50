// A worked example: records a small series, asks for its state and a map, and what an error looks like.
//
//     node example.mjs series.lbj [COMMAND ARGUMENT...]
//
// SPDX-License-Identifier: BSD-3-Clause

import {Host, array, values_of} from "./mfsi.mjs";

const [path, ...command] = process.argv.slice(2);
const host = command.length ? new Host(command[0], command.slice(1)) : new Host();
const [rows, columns, channels] = [3, 5, 1024];
await host.ask("open", {
  path, elements: ["Ti"], metadata: {beam_energy: 2e5},
  signals: [
    {name: "EDX", kind: "events", shape: [rows, columns, channels],
     axes: [{name: "y"}, {name: "x"}, {name: "energy", scale: 10, units: "eV"}]},
    {name: "HAADF", kind: "image", shape: [rows, columns], dtype: "uint16"},
  ],
});
for (let frame = 0; frame < 4; frame++) {
  const image = Uint16Array.from({length: rows * columns}, (_, pixel) => 1000 * frame + pixel);
  await host.ask("push", {
    data: {EDX: {pixel: [0, 7, 7], channel: [451, 450, 93 + frame]}, HAADF: array(image, [rows, columns])},
    attributes: {dwell_time: 1e-4, beam_current: 1.7e-11},
  });
}
const {status} = await host.ask("status");
const map = values_of(await host.ask("map", {name: "Ti_Ka"}));
const refused = await host.ask("map", {name: "Fe_Ka"}).catch((error) => `${error.name}: ${error.message}`);
await host.ask("close");

// The same host records from an instrument: here a simulated microscope.
await host.ask("recorder", {
  folder: path.replace(/\.lbj$/, "") + "-recorded", instrument: "simulated", options: {seed: 3, channels: 256},
  settings: {field: [1e-9, 2e-9], pixel: "0.1nm", frames: 2},
});
const {outcome} = await host.ask("acquire", {wait: true});
const survey = values_of(await host.ask("survey"));
await host.ask("close");
await host.end();
console.log(JSON.stringify({
  frames: status.frames, counts: status.counts, shape: map.shape, map: [...map.values], refused,
  outcome: outcome.text, recorded: outcome.total, survey: survey.shape,
}));
