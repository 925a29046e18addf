// Draws the document that this service publishes; no validator of others is asked.
"use strict";

window.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("swagger"),
  deepLinking: true,
  validatorUrl: null,
});
