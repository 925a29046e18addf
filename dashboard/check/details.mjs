// Looks at the map of hotspots, the dialog that asks how to ignore, what can be taken along, and counts that move.
import { readFileSync } from "node:fs";

import { barriers, call, given, opened, run, wrong } from "./looking.mjs";

/** What a button has the browser save. */
async function saved(page, name) {
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name, exact: true }).click();
  return readFileSync(await (await waiting).path(), "utf8");
}

const focused = (page) => page.evaluate(() => document.activeElement?.querySelector("title")?.textContent ?? "");

await run({
  /** Before the first analysis no code was scored: the plot has a gap there, not the best of scores. */
  async score(browser) {
    const page = await opened(browser, "/dashboard/quality");
    const score = page.getByRole("slider", { name: /^Score/ });
    await score.focus();
    const told = [];
    for (const key of ["Home", "End"]) {
      await page.keyboard.press(key);
      told.push(await score.getAttribute("aria-valuetext"));
    }
    if (!/: score not known$/.test(told[0]) || !/: score [\d.]+$/.test(told[1])) {
      wrong.push(`the score's first and last day are ${told.join(" and ")}`);
    }
    const points = (await score.locator("polyline").first().getAttribute("points")).split(" ").length;
    if (points !== 1) {
      wrong.push(`${points} days are drawn of a project that was analysed today`);
    }
    const table = (await saved(page, "CSV of Score")).trim().split("\r\n");
    if (!table[1].endsWith(",") || !/,[\d.]+$/.test(table.at(-1))) {
      wrong.push(`the table of the score is ${table}`);
    }
  },

  /** The map is read by keyboard, leads to a file's findings, and can be taken along. */
  async hotspots(browser) {
    const page = await opened(browser, "/dashboard/quality");
    await page.waitForSelector(".hotspots svg a");
    const { files } = await call("GET", "/api/v1/metrics/hotspots");
    await page.locator(".hotspots svg a[tabindex='0']").focus();
    const first = await focused(page);
    if (!first.startsWith(`${files[0].file_path}: score ${Math.round(files[0].score)} `)) {
      wrong.push(`the first of the map is ${first}, not ${files[0].file_path}`);
    }
    const seen = new Set([first]);
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowRight"]) {
      await page.keyboard.press(key);
      seen.add(await focused(page));
    }
    if (seen.size < 3) {
      wrong.push(`the arrows lead but to ${[...seen].join(", ")}`);
    }
    await page.keyboard.press("Home");
    const table = await saved(page, "CSV of Hotspots");
    if (!table.includes(files[0].file_path) || table.trim().split("\r\n").length !== files.length + 1) {
      wrong.push(`the table of hotspots is ${table.slice(0, 300)}`);
    }
    const drawing = await saved(page, "SVG of Hotspots");
    if (!/<rect[^>]* fill="rgb/.test(drawing)) {
      wrong.push(`the drawing of hotspots is ${drawing.slice(0, 300)}`);
    }
    await page.locator(".hotspots svg a[tabindex='0']").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "findings" }).waitFor();
    if (new URL(page.url()).searchParams.get("file_path") !== files[0].file_path) {
      wrong.push(`the map led to ${page.url()}`);
    }
  },

  /** Findings are ignored with a reason and for a time, one or several; the dialog lets go by Escape. */
  async ignore(browser) {
    const page = await opened(browser, "/dashboard/findings");
    await page.waitForSelector(".rows li.here");
    const [first, second, third] = (await call("GET", "/api/v1/findings?limit=3&sort=-severity")).findings;
    const press = async (keys) => {
      for (const key of keys.split(" ")) {
        await page.keyboard.press(key);
      }
    };
    const told = (id) => call("GET", `/api/v1/findings/${id}`);
    const becomes = async (id, wanted) => {
      for (let tries = 0; tries < 900; tries++) {
        const found = await told(id);
        if (Object.entries(wanted).every(([name, value]) => String(found[name]).startsWith(value))) {
          return;
        }
        await page.waitForTimeout(100);
      }
      const { status, reason, ignored_until } = await told(id);
      wrong.push(`not ${JSON.stringify(wanted)}: ${JSON.stringify({ status, reason, ignored_until })}`);
    };
    await press("Shift+I");
    await page.waitForSelector("dialog.ignoring[open]");
    await barriers(page, "the dialog");
    for (let steps = 0; steps < 12; steps++) {
      await press("Tab");
      const within = await page.evaluate(
        () => document.activeElement === document.body || !!document.activeElement.closest("dialog"),
      );
      if (!within) {
        wrong.push("the focus leaves the dialog");
      }
    }
    await press("Escape");
    await page.waitForSelector("dialog.ignoring", { state: "detached" });
    if ((await told(first.id)).status !== "open") {
      wrong.push("Escape has ignored it");
    }
    await press("x j x Shift+I");
    await page.getByRole("heading", { name: "Ignore 2 findings" }).waitFor();
    await page.getByLabel("Reason").selectOption("accepted_risk");
    await page.getByLabel("Comment").fill("known since spring");
    await page.getByLabel("it appears in an incident").check();
    await press("Enter");
    for (const one of [first, second]) {
      await becomes(one.id, { status: "ignored", reason: "accepted_risk", ignored_until: "incident" });
    }
    if (!(await told(first.id)).history.some((one) => one.details.includes("known since spring"))) {
      wrong.push("the comment is not kept");
    }
    await page.locator(".rows li a").first().click();
    await page.locator(".panel").getByRole("button", { name: "Ignore…" }).click();
    await page.getByLabel("a day").check();
    await page.getByLabel("Day", { exact: true }).fill("2031-05-06");
    await page.locator("dialog.ignoring").getByRole("button", { name: "Ignore" }).click();
    await becomes(third.id, { status: "ignored", ignored_until: "2031-05-06" });
    await page.locator(".panel .facts", { hasText: "ignored until" }).waitFor();
  },

  /** An alert that goes on counts up before one's eyes, and its rate can be taken along. */
  async repeats(browser) {
    const [alert] = (await call("GET", `/api/v1/alerts?alert_id=${given.alert.alert_id}`)).alerts;
    const page = await opened(browser, `/dashboard/alerts/${alert.id}`);
    await page.waitForSelector(".rate svg");
    await page.locator(".link.live").waitFor();
    const before = alert.occurrence_count;
    for (let number = 0; number < given.many; number++) {
      await call("POST", "/api/v1/alerts", { ...given.alert, alert_id: `again-${number}` });
    }
    // Seen long before the page would look again by itself.
    const counted = page.getByText(`${before + given.many}×`, { exact: true });
    await counted.waitFor({ timeout: 25_000 }).catch(() => wrong.push(`${before + given.many} is not seen`));
    const table = await saved(page, "CSV of Rate");
    if (!table.startsWith("time,occurrences,deployed_release,deployed_commit\r\n") || !table.includes("4.2.0")) {
      wrong.push(`the table of the rate is ${table.slice(0, 300)}`);
    }
    if (!(await saved(page, "SVG of Rate")).includes("<rect")) {
      wrong.push("the drawing of the rate is empty");
    }
  },
});
