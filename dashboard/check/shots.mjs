// Takes pictures of a running service's dashboard: shots.mjs all URL JSON; see docs/screenshots.py.
import { call, given, run, url, wrong } from "./looking.mjs";

/** The pages by name: where they are, and what stands on them when they are ready. */
async function pages() {
  const { alerts } = await call("GET", "/api/v1/alerts?limit=100&sort=-severity");
  const blamed = alerts.find((one) => one.error_type === given.error_type) ?? alerts[0];
  const { findings } = await call("GET", "/api/v1/findings?limit=5&sort=-severity");
  return {
    now: ["/dashboard", ".card .suspect"],
    alert: [`/dashboard/alerts/${blamed.id}`, ".trace .code .hit, .raw"],
    findings: [`/dashboard/findings${given.panel ? `?finding=${findings[2].id}` : ""}`, given.panel ? ".panel .code" : ".rows li"],
    quality: ["/dashboard/quality", ".hotspots svg a"],
    hotspots: ["/dashboard/quality", ".hotspots svg a"],
    deployments: ["/dashboard/deployments", ".releases li"],
    webhooks: ["/dashboard/webhooks", "main h1, main .empty"],
    system: ["/dashboard/system", ".parts li"],
    settings: ["/dashboard/settings", "main h2"],
  };
}

run({
  async all(browser) {
    const known = await pages();
    for (const one of given.shots) {
      const [path, ready] = known[one.page];
      const { width, height, colorScheme = "light", deviceScaleFactor = 1 } = one;
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme,
        deviceScaleFactor,
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      await page.goto(url + path);
      await page.waitForSelector(ready, { timeout: 20_000 }).catch(() => wrong.push(`${path}: no ${ready}`));
      await page.locator(".link.live").waitFor({ timeout: 5_000 }).catch(() => null);
      await page.waitForTimeout(700); // for what is read after
      if (one.page === "hotspots") {
        await page.locator(".hotspots").screenshot({ path: one.file });
      } else {
        await page.screenshot({ path: one.file, fullPage: one.whole ?? false });
      }
      await context.close();
    }
  },
});
