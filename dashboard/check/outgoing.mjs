// Looks at the pages of deployments and webhooks: outgoing.mjs CHECK URL [JSON]. Prints what is wrong; nothing else.
import { VIEWS, barriers, call, given, opened, run, wrong } from "./looking.mjs";

async function everyPage(browser, look) {
  const hook = given.webhook;
  const pages = {
    "/dashboard/deployments": ".releases .fresh",
    [`/dashboard/deployments/${given.deployment}`]: ".afters .function",
    "/dashboard/deployments?environment=nowhere": ".empty",
    "/dashboard/webhooks": ".hooks .strip .failed",
    [`/dashboard/webhooks/${hook}`]: ".deliveries li",
    "/dashboard/webhooks?new=1": ".hookform",
    [`/dashboard/webhooks/${hook}?do=edit`]: ".hookform",
    [`/dashboard/webhooks/${hook}?do=delete`]: ".modal",
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

async function saved(page, name) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Read from the service until it holds. */
async function until(path, holds) {
  for (let tries = 0; tries < 900; tries++) {
    const told = await call("GET", path);
    if (holds(told)) {
      return told;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  wrong.push(`${path}: ${JSON.stringify(await call("GET", path)).slice(0, 500)}`);
  return call("GET", path);
}

function expect(holds, told) {
  if (!holds) {
    wrong.push(told);
  }
}

const checks = {
  /** Every page shows its data without a complaint or a barrier, on a phone as on a wall. */
  async pages(browser) {
    await everyPage(browser, async (page, path, { width, colorScheme }) => {
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(over <= 0, `${path}: ${over} px wider than ${width} px`);
      await barriers(page, `${path} (${colorScheme})`);
    });
  },

  /** By keyboard alone from any page to what a deployment did, and on to the alert; its plot can be taken along. */
  async deployment(browser) {
    const page = await opened(browser, "/dashboard");
    await page.waitForSelector("h1");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForSelector(".releases li.here");
    await page.getByLabel("Environment").selectOption("production");
    await page.locator(".releases li").nth(1).waitFor();
    expect(page.url().includes("environment=production"), `the address does not tell the filter: ${page.url()}`);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/deployments/${given.deployment}*`);
    const fresh = page.locator(".afters li.new", { hasText: given.error_type });
    await fresh.locator(".function", { hasText: given.suspect }).waitFor();
    const csv = await saved(page, /^CSV/);
    const counted = csv.trim().split("\r\n").slice(1).reduce((sum, line) => sum + Number(line.split(",")[2]), 0);
    expect(counted === given.occurrences, `the CSV tells of ${counted} occurrences of new alerts`);
    expect((await saved(page, /^SVG/)).startsWith("<svg"), "the SVG is none");
    await page.getByRole("button", { name: "6 h" }).click();
    expect(page.url().includes("hours=6"), `the address does not tell the hours: ${page.url()}`);
    await fresh.getByRole("link").click();
    await page.waitForURL("**/alerts/*");
    await page.goBack();
    await fresh.waitFor();
  },

  /** A webhook is made (what is wrong is told at its field), tried, changed, paused, rotated and deleted. */
  async webhook(browser) {
    given.refused = true; // the console tells of a 422, as it should
    const page = await opened(browser, "/dashboard/webhooks");
    await page.waitForSelector(".hooks li");
    await page.keyboard.press("n");
    await page.getByLabel("Name").fill("mine");
    await page.getByLabel("Address").fill("http://10.0.0.1/in");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.locator("#wrong-url:not(:empty)").waitFor();
    const at = await page.evaluate(() => document.activeElement.name);
    expect(at === "url", `the focus is at ${at}`);
    await page.getByLabel("Address").fill(given.receiver);
    await page.getByLabel("alert created").check();
    await page.getByRole("button", { name: "Make it" }).click();
    const secret = await page.locator(".secret code").innerText();
    expect(secret.startsWith("whsec_"), `the secret is ${secret.slice(0, 6)}…`);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied === secret, "what was copied is not the secret");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "mine" }).click();
    await page.getByRole("heading", { name: "mine" }).waitFor();
    await page.getByRole("button", { name: /^Test/ }).click();
    await page.getByText("took the test").waitFor();
    await page.locator(".latency svg rect.area").first().waitFor();
    await page.getByRole("button", { name: /^Pause/ }).click();
    await page.getByRole("button", { name: /^Resume/ }).click();
    await page.getByRole("button", { name: /^Pause/ }).waitFor();
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("e");
    await page.getByLabel("Name").fill("ours");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("heading", { name: "ours" }).waitFor();
    await page.getByRole("button", { name: "New secret" }).click();
    await page.getByRole("button", { name: "Make a new secret" }).click();
    const later = await page.locator(".secret code").innerText();
    expect(later.startsWith("whsec_") && later !== secret, "the secret is the former one");
    await page.getByRole("button", { name: "I have kept it" }).click();
    expect((await page.locator("body").innerText()).includes("whsec_") === false, "the secret is still shown");
    const id = new URL(page.url()).pathname.split("/").at(-1);
    const told = await call("GET", `/api/v1/webhooks/${id}`);
    expect(told.name === "ours" && told.events.join() === "alert.created", JSON.stringify(told));
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await page.waitForURL("**/dashboard/webhooks");
    const { webhooks } = await call("GET", "/api/v1/webhooks");
    expect(!webhooks.some((one) => one.id === id), "it was not deleted");
  },

  /** What was not taken is seen with its attempts, and told again: one, then all the others. */
  async replay(browser) {
    const health = `/api/v1/webhooks/${given.webhook}/health`;
    const { dead_letters: dead } = await call("GET", health);
    expect(dead > 1, `${dead} dead letters`);
    const page = await opened(browser, `/dashboard/webhooks/${given.webhook}?status=dead`);
    const rows = page.locator(".deliveries li");
    await rows.nth(dead - 1).waitFor();
    await rows.first().getByRole("button", { expanded: false }).click();
    await rows.first().getByText("webhook-id").waitFor();
    expect(page.url().includes("delivery="), `the address does not tell what is open: ${page.url()}`);
    await rows.first().getByRole("button", { name: /^Replay/ }).click();
    await page.getByText("Sent anew").waitFor();
    await until(health, (told) => told.dead_letters === dead - 1);
    await page.getByRole("button", { name: /^Replay (all|the dead)/ }).click();
    await until(health, (told) => told.dead_letters === 0);
    await page.getByRole("button", { name: /^Replay (all|the dead)/ }).waitFor({ state: "detached" });
    const csv = await saved(page, /^CSV/);
    expect(csv.startsWith("at,kind,is_success"), `the CSV is ${csv.slice(0, 40)}`);
  },

  /** The health that a webhook comes to have is seen without asking. */
  async live(browser) {
    const page = await opened(browser, "/dashboard/webhooks");
    const row = page.locator(".hooks li", { hasText: given.name });
    await row.getByText("paused").waitFor();
    await call("PATCH", `/api/v1/webhooks/${given.id}`, { is_active: true });
    await row.getByText("healthy").waitFor({ timeout: 25_000 }); // by the clock it would be half a minute
  },
};

await run(checks);
