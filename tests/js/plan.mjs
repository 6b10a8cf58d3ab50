// Plans of the settings in a file, a JSON array, as JSON: the arithmetic of the planner's page.

import { readFileSync } from "node:fs";
import { PlanError, plan } from "../../mfsi_core/viewer/static/plan.mjs";

const told = (settings) => {
  try {
    return plan(settings);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return { refused: error.field };
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(process.argv[2])).map(told)));
