// Draws the document that this service publishes, and reports to nobody.
import { init } from "/docs/assets/redoc.standalone.js";

init("/openapi.json", { disableTelemetry: true }, document.getElementById("reference"));
