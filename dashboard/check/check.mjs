// Looks at a running service's dashboard in a browser: check.mjs CHECK URL [JSON]. Prints what is wrong; nothing else.
import { VIEWS, barriers, call, given, opened, run, url, wrong } from "./looking.mjs";

const CLOCK_MS = 30_000; // after which the page reads all anew
const TRIES = 900; // a tenth of a second apart

async function everyPage(browser, look) {
  const alert = (await call("GET", "/api/v1/alerts?limit=1&sort=-severity")).alerts[0];
  const finding = (await call("GET", "/api/v1/findings?limit=1")).findings[0];
  const pages = {
    "/dashboard": "h1:has-text('firing')",
    [`/dashboard/alerts/${alert.id}`]: ".trace .code .hit",
    "/dashboard/findings": ".rows li",
    [`/dashboard/findings?finding=${finding.id}`]: ".panel h2",
    "/dashboard/quality": ".chart svg",
    "/dashboard/nowhere": ".empty",
  };
  for (const view of VIEWS) {
    for (const [path, shown] of Object.entries(pages)) {
      const page = await opened(browser, path, view);
      await page.waitForSelector(shown).catch(() => wrong.push(`${path}: no ${shown}`));
      await look(page, path, view);
      await page.context().close();
    }
  }
}

const checks = {
  /** Every page shows its data without a complaint or a barrier, on a phone as on a wall. */
  async pages(browser) {
    await everyPage(browser, async (page, path, { width, colorScheme }) => {
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) {
        wrong.push(`${path}: ${over} px wider than ${width} px`);
      }
      if (given.shots) {
        await page.screenshot({ path: `${given.shots}/${path.split("/")[2] ?? "now"}-${width}.png` });
      }
      await barriers(page, `${path} (${colorScheme})`);
    });
  },

  /** An alert that arrives is seen with its suspect, and can be acknowledged and resolved there. */
  async alert(browser) {
    const page = await opened(browser, "/dashboard");
    await page.waitForSelector("h1");
    await page.locator(".link.live").waitFor();
    const began = Date.now();
    await call("POST", "/api/v1/alerts", given.alert);
    const card = page.locator(".card", { hasText: given.error_type });
    await card.waitFor();
    const seen = Date.now() - began;
    await card.locator(".suspect .function", { hasText: given.suspect }).waitFor();
    console.error(`link ${await page.locator(".link").innerText()}; seen after ${seen} ms, with its suspect after ${Date.now() - began} ms`);
    const since = Date.now();
    let others = 0;
    page.on("request", (one) => (others += one.url().includes("status=acknowledged") ? 1 : 0));
    for (let number = 2; number <= 21; number++) {
      await call("POST", "/api/v1/alerts", { ...given.alert, alert_id: `${given.alert.alert_id}-${number}` });
    }
    await card.getByText("21×").waitFor();
    const turns = 1 + (Date.now() - since) / CLOCK_MS;
    if (others > turns) {
      wrong.push(`what no repeat concerns was read ${others} times`); // now and then it is the clock's turn
    }
    await card.getByRole("button", { name: "Acknowledge" }).click();
    await page.locator(".held li", { hasText: given.error_type }).getByRole("button", { name: "Resolve" }).click();
    await page.locator(".held li", { hasText: given.error_type }).waitFor({ state: "detached" });
    const [alert] = (await call("GET", `/api/v1/alerts?alert_id=${given.alert.alert_id}`)).alerts;
    if (alert.status !== "resolved" || !alert.acknowledged_at) {
      wrong.push(`the alert is ${alert.status}`);
    }
  },

  /** Who confirms a suspect is told so, and the service knows. */
  async feedback(browser) {
    const { alerts } = await call("GET", `/api/v1/alerts?alert_id=${given.alert_id}`);
    const page = await opened(browser, `/dashboard/alerts/${alerts[0].id}`);
    await page.getByRole("button", { name: /^Confirm/ }).first().click();
    await page.locator("button[aria-pressed=true]", { hasText: "Confirm" }).waitFor();
    const { feedback } = await call("GET", `/api/v1/iris/correlations/${alerts[0].correlation_id}`);
    if (feedback[0]?.verdict !== "confirmed") {
      wrong.push(`feedback: ${JSON.stringify(feedback)}`);
    }
  },

  /** Ten findings are decided about without a mouse. */
  async triage(browser) {
    const before = (await call("GET", "/api/v1/findings?limit=1")).total_count;
    const page = await opened(browser, "/dashboard");
    await page.waitForSelector("h1");
    await page.keyboard.press("g");
    await page.keyboard.press("f");
    await page.waitForSelector(".rows li.here");
    const press = async (keys) => {
      for (const key of keys.split(" ")) {
        await page.keyboard.press(key);
      }
    };
    const holds = async (status, many) => {
      const path = `/api/v1/findings?limit=1&status=${status}`;
      for (let tries = 0; tries < TRIES; tries++) {
        if ((await call("GET", path)).total_count === many) {
          return;
        }
        await page.waitForTimeout(100);
      }
      wrong.push(`not ${many} ${status}, but ${(await call("GET", path)).total_count}`);
    };
    await press("x j x j x a");
    await holds("acknowledged", 3);
    await press("j j k i");
    await holds("ignored", 1);
    await press("x j j x j x r");
    await holds("resolved", 3);
    await press("x j x j x i");
    await holds("ignored", 4);
    await holds("open", before - 10);
    await press("u");
    await holds("ignored", 1);
    await holds("open", before - 7);
    await press("Enter");
    await page.waitForSelector(".panel h2");
    if (!page.url().includes("finding=")) {
      wrong.push(`the address does not tell what is open: ${page.url()}`);
    }
    await press("Escape");
    await page.waitForSelector(".panel", { state: "detached" });
    await press("?");
    await page.waitForSelector("dialog[open]");
    await press("Escape /");
    await page.keyboard.type("no such finding");
    await page.waitForSelector(".empty");
    if (new URL(page.url()).searchParams.get("q") !== "no such finding") {
      wrong.push(`the address does not tell what is searched: ${page.url()}`);
    }
  },

  /** Text of others stays text. */
  async hostile(browser) {
    const [alert] = (await call("GET", `/api/v1/alerts?alert_id=${given.alert_id}`)).alerts;
    for (const path of ["/dashboard", `/dashboard/alerts/${alert.id}`]) {
      const page = await opened(browser, path);
      await page.waitForSelector("h1");
      await page.getByText("<img src=x onerror=").first().waitFor();
      if ((await page.locator("img, main script, a[href^='javascript']").count()) > 0) {
        wrong.push(`${path}: markup of others`);
      }
      await page.context().close();
    }
  },

  /** An installation where nothing was sent yet says what to do. */
  async empty(browser) {
    for (const page of ["", "/findings", "/quality", "/deployments", "/webhooks"]) {
      const path = `/dashboard${page}`;
      const shown = await opened(browser, path);
      await shown.locator(".empty pre", { hasText: `curl ${url}` }).waitFor();
      await shown.context().close();
    }
  },

  /** Where credentials are wanted, they are asked for; a wrong key is refused, a right one leads in. */
  async token(browser) {
    const page = await opened(browser, "/dashboard/findings");
    await page.getByRole("button", { name: "Key", exact: true }).click();
    await page.getByLabel("API key").fill("hef_wrong");
    await page.keyboard.press("Enter");
    await page.locator(".wrong:not(:empty)").waitFor();
    await barriers(page, "token");
    await page.getByLabel("API key").fill(given.key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "findings" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "findings" }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    if (kept.includes("hef_")) {
      wrong.push("the key is kept beyond the tab");
    }
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByLabel("E-mail").waitFor();
  },
};

await run(checks);
