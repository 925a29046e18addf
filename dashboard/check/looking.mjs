// What checks of the dashboard share: a browser, pages that note what they complain of, and the service's API.
// A script is called as SCRIPT CHECK[,CHECK] URL [JSON] and prints what is wrong; or as SCRIPT alone, and then has one
// browser for all that it reads: a line {"check", "url", "given"} each, which it answers by a list of what is wrong.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const [, , named, place, told = "{}"] = process.argv;
export let url = place;
export let given = JSON.parse(told);
/** A page may be slow where three times as much goes on as there are processors: waiting costs who waits nothing. */
export const PATIENCE_MS = 120_000;
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const VIEWS = [
  { width: 390, height: 844, colorScheme: "dark" },
  { width: 1920, height: 1080, colorScheme: "light" },
];
export const wrong = [];

export async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const read = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) {
    throw new Error(`${method} ${path}: ${JSON.stringify(read?.error)}`);
  }
  return read?.data;
}

/** A page in a context of its own that waits long for what has to come. */
export async function patient(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context.newPage();
}

/** A page that notes what it complains of, and what it asks others for. */
export async function opened(browser, path, { width = 1280, height = 800, colorScheme = "light" } = {}) {
  const page = await patient(browser, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  page.on("console", (message) => {
    // A service without the stream answers 404 once, and the page goes by the clock.
    const known = /404|501/.test(message.text()) && message.location().url.endsWith("/events/stream");
    if (message.type() === "error" && !known && !given.refused) {
      wrong.push(`${path}: the console tells ${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => wrong.push(`${path}: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("blob:")) {
      wrong.push(`${path}: asks ${request.url()}`);
    }
  });
  await page.goto(url + path);
  return page;
}

/** What stands in the way of who cannot see or point. The policy forbids scripts of others: this comes past it. */
export async function barriers(page, told) {
  // What is read anew is shown paler until it has come.
  await page.waitForFunction(() => !document.querySelector(".stale"));
  const found = await page.evaluate(`${AXE}; axe.run()`);
  for (const one of found.violations) {
    wrong.push(`${told}: ${one.id}: ${one.nodes[0].target.join(" ")}`);
  }
}

async function carriedOut(checks, browser, wanted) {
  wrong.length = 0;
  try {
    for (const one of wanted.split(",")) {
      await checks[one](browser);
    }
  } catch (error) {
    wrong.push(String(error?.stack ?? error));
  }
  await Promise.all(browser.contexts().map((context) => context.close()));
}

/** Run the checks that the command names, or those that it is asked for until its input ends; tell what is wrong. */
export async function run(checks) {
  const executablePath = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    if (named) {
      await carriedOut(checks, browser, named);
      console.log(wrong.join("\n"));
      process.exitCode = wrong.length ? 1 : 0;
      return;
    }
    for await (const line of createInterface({ input: process.stdin })) {
      const asked = JSON.parse(line);
      ({ url, given } = asked);
      await carriedOut(checks, browser, asked.check);
      console.log(JSON.stringify(wrong));
    }
  } finally {
    await browser.close();
  }
}
