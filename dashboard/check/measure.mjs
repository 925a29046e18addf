// Measures a running service's dashboard: measure.mjs all URL JSON. Prints JSON; see benchmarks/page.py.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { AXE, call, given, opened, url, wrong } from "./looking.mjs";

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const curl = promisify(execFile);

async function pages() {
  const alert = (await call("GET", "/api/v1/alerts?limit=1&sort=-severity")).alerts[0];
  const finding = (await call("GET", "/api/v1/findings?limit=1")).findings[0];
  return {
    "/dashboard": ".card .suspect",
    [`/dashboard/alerts/${alert.id}`]: ".trace, .raw",
    "/dashboard/findings": ".rows li",
    [`/dashboard/findings?finding=${finding.id}`]: ".panel h2",
    "/dashboard/quality": ".hotspots svg a",
    "/dashboard/deployments": ".releases li",
    [`/dashboard/deployments/${given.deployment}`]: "main h1, main h2",
    "/dashboard/webhooks": ".empty, .hooks li",
    "/dashboard/system": ".parts li",
    "/dashboard/settings": "main h2",
    "/dashboard/settings/audit": ".log li",
  };
}

/** From the navigation to the first frame with what is looked for, told by the page itself; and its bytes. */
async function loaded(browser, path, shown) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", (one) => (bytes += one.encodedDataLength));
  await page.addInitScript((selector) => {
    const look = () => {
      if (document.querySelector(selector)) {
        watch.disconnect();
        requestAnimationFrame(() => (window.seenAt = performance.now()));
      }
    };
    const watch = new MutationObserver(look);
    watch.observe(document, { childList: true, subtree: true });
  }, shown);
  await page.goto(url + path);
  const ms = await page
    .waitForFunction(() => window.seenAt, null, { timeout: 15_000 })
    .then((handle) => handle.jsonValue())
    .catch(() => {
      wrong.push(`${path}: no ${shown}`);
      return 15_000;
    });
  await page.waitForTimeout(300); // for what comes after: its weight counts, too
  await context.close();
  return { ms, bytes };
}

async function everyPage(browser) {
  const found = {};
  for (const [path, shown] of Object.entries(await pages())) {
    found[path] = { ms: [], bytes: 0 };
    for (let round = 0; round < given.rounds; round++) {
      const one = await loaded(browser, path, shown);
      found[path].ms.push(one.ms);
      found[path].bytes = Math.max(found[path].bytes, one.bytes);
    }
  }
  return found;
}

async function barriers(browser) {
  let found = 0;
  for (const colorScheme of ["light", "dark"]) {
    for (const [path, shown] of Object.entries(await pages())) {
      const page = await opened(browser, path, { colorScheme });
      await page.waitForSelector(shown, { timeout: 15_000 }).catch(() => null);
      const told = await page.evaluate(`${AXE}; axe.run()`);
      for (const one of told.violations) {
        found++;
        wrong.push(`${path} (${colorScheme}): ${one.id}: ${one.nodes[0].target.join(" ")}`);
      }
      await page.context().close();
    }
  }
  return found;
}

/** Post alerts by curl while the page is open, and see when they stand there, and when whom they blame. */
async function alerts(browser) {
  const page = await opened(browser, "/dashboard");
  await page.waitForSelector("h1");
  await page.locator(".link.live").waitFor();
  const found = { seen: [], suspect: [] };
  for (let round = 0; round < given.rounds; round++) {
    // Letters: what differs by a number alone is one alert.
    const error = `Fresh${String.fromCharCode(65 + round)}Error`;
    const trace = given.trace.replace("{error}", error).replace("{line}", "70").replace("{inner}", "54");
    const body = { alert_id: `fresh-${round}`, project: "django", severity: "critical", stacktrace: trace };
    const words = ["-sS", "-f", "-o", "/dev/null", "-H", "Content-Type: application/json", "-d", JSON.stringify(body)];
    const card = page.locator(".card, .held li", { hasText: error }).first();
    const began = performance.now();
    const sent = curl("curl", [...words, `${url}/api/v1/alerts`]);
    await card.waitFor({ timeout: 15_000 });
    found.seen.push(performance.now() - began);
    await card.locator(".suspect .function").first().waitFor({ timeout: 20_000 });
    found.suspect.push(performance.now() - began);
    await sent;
    await page.waitForTimeout(1_500);
  }
  await page.context().close();
  return found;
}

/** Decide about ten findings without a mouse: five alone, five together. */
async function triage(browser) {
  const page = await opened(browser, "/dashboard/findings");
  await page.waitForSelector(".rows li.here");
  const before = (await call("GET", "/api/v1/findings?limit=1")).total_count;
  const keys = "a j i a j r i x j x j x j x j x a".split(" ");
  const began = performance.now();
  for (const key of keys) {
    await page.keyboard.press(key);
  }
  for (let tries = 0; tries < 200; tries++) {
    if ((await call("GET", "/api/v1/findings?limit=1")).total_count === before - 10) {
      return { keys: keys.length, ms: performance.now() - began };
    }
    await page.waitForTimeout(50);
  }
  wrong.push(`ten were decided about, and ${before - (await call("GET", "/api/v1/findings?limit=1")).total_count} are`);
  return { keys: keys.length, ms: performance.now() - began };
}

const executablePath = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const told = { rounds: given.rounds, pages: await everyPage(browser), barriers: await barriers(browser) };
  Object.assign(told, { alert: await alerts(browser), triage: await triage(browser), wrong });
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
