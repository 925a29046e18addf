// Shows the service's state and its latest analyses. Text is only ever set as text.
"use strict";

async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  const body = await answer.json();
  if (body.data === null) {
    throw new Error(body.error.message);
  }
  return body.data;
}

function cell(row, text, numeric) {
  const made = row.insertCell();
  made.textContent = text === null || text === undefined ? "" : String(text);
  made.className = numeric ? "number" : "";
}

function show(analysis) {
  const row = document.querySelector("#analyses tbody").insertRow();
  const summary = analysis.summary || {};
  cell(row, new Date(analysis.timestamp).toLocaleString());
  cell(row, analysis.project);
  cell(row, analysis.path);
  cell(row, analysis.status);
  for (const severity of ["critical", "high", "medium", "low"]) {
    cell(row, summary[severity], true);
  }
}

async function showStatus() {
  const place = document.getElementById("status");
  try {
    const health = await ask("/health");
    place.textContent = `${health.status}, version ${health.version}`;
    place.className = health.status === "healthy" ? "" : "unwell";
  } catch (error) {
    place.textContent = `no answer (${error.message})`;
    place.className = "unwell";
  }
}

async function showAnalyses() {
  const note = document.getElementById("note");
  try {
    const { analyses } = await ask("/api/v1/analyses?limit=20");
    analyses.forEach(show);
    note.textContent = analyses.length ? "" : "None yet: send one to POST /api/v1/analyze.";
    document.getElementById("analyses").hidden = analyses.length === 0;
  } catch (error) {
    note.textContent = `They cannot be shown: ${error.message}`;
  }
}

showStatus();
showAnalyses();
