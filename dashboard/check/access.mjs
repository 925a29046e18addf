// Looks at who is let into a running service's dashboard, and what he finds: access.mjs CHECK URL [JSON]. Prints what
// is wrong; nothing else.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

import { VIEWS, barriers, given, patient, run, url, wrong } from "./looking.mjs";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const STEP_S = 30;
const PAGES = {
  "/dashboard/system": ".parts li",
  "/dashboard/settings": "#who",
  "/dashboard/settings/keys?new=1": "input[name=name]",
  "/dashboard/settings/users": ".entries li",
  "/dashboard/settings/projects?edit=shop": ".ownership",
  "/dashboard/settings/audit": ".log li",
};

function expect(holds, otherwise) {
  if (!holds) {
    wrong.push(otherwise);
  }
}

async function opened(browser, path, { width = 1280, height = 900, colorScheme = "light", elsewhere = false } = {}) {
  const page = await patient(browser, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  page.on("console", (message) => {
    // A refusal that was to be seen is told by the browser as well.
    if (message.type() === "error" && !/400|401|422/.test(message.text())) {
      wrong.push(`${path}: the console tells ${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => wrong.push(`${path}: ${error.message}`));
  page.on("request", (request) => {
    expect(elsewhere || request.url().startsWith(url) || /^(blob|data):/.test(request.url()), `${path}: asks ${request.url()}`);
  });
  await page.goto(url + path);
  return page;
}

async function logIn(page, email = given.admin, password = given.password) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.keyboard.press("Enter");
}

async function inside(browser, path, view, email = given.admin) {
  const page = await opened(browser, path, view);
  await logIn(page, email);
  await page.locator(".bar").waitFor();
  return page;
}

/** Call the service past the page, as somebody who has logged in. */
async function call(method, path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  return answer.status === 204 ? null : (await answer.json()).data;
}

async function elsewhere(email = given.admin) {
  return (await call("POST", "/auth/login", { email, password: given.password })).access_token;
}

/** The code that an authenticator app shows, so many steps from now. */
function code(secret, later = 0) {
  const bits = [...secret.replaceAll(/[\s=]/g, "")].map((one) => BASE32.indexOf(one).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((one) => Number.parseInt(one, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000 / STEP_S) + later));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const checks = {
  /** A wrong password is told; a right one leads where one wanted to go; a reload stays in; leaving is leaving. */
  async login(browser) {
    const page = await opened(browser, "/dashboard/system?minutes=1440");
    await logIn(page, given.admin, "another long passphrase");
    await page.locator(".wrong:not(:empty)").waitFor();
    expect(!(await page.locator(".bar").count()), "a wrong password leads in");
    await logIn(page);
    await page.locator(".tiles").waitFor();
    expect(page.url().endsWith("/system?minutes=1440"), `the way was lost: ${page.url()}`);
    const kept = await page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]);
    expect(!/eyJ/.test(kept.join()), "an access token is kept beyond memory");
    expect(kept[1] === "{}" && kept[2] === "", `something is kept beyond the tab: ${kept.slice(1)}`);
    await page.reload();
    await page.locator(".tiles").waitFor();
    const before = await page.evaluate(() => sessionStorage.getItem("hefesto.credentials"));
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByLabel("E-mail").waitFor();
    const { refresh } = JSON.parse(before);
    const answer = await fetch(`${url}/api/v1/auth/refresh`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: refresh }),
    });
    expect(answer.status === 401, "the session goes on after leaving");
  },

  /** The access token is renewed before it ends, and nobody notices; in a tab that was duplicated neither. */
  async renewal(browser) {
    const page = await opened(browser, "/dashboard/settings");
    await page.clock.install();
    await logIn(page);
    await page.locator("#who").waitFor();
    const twin = await page.context().newPage();
    const kept = () => page.evaluate(() => sessionStorage.getItem("hefesto.credentials"));
    const first = await kept();
    const told = page.waitForFunction((one) => sessionStorage.getItem("hefesto.credentials") !== one, first);
    await twin.addInitScript((one) => sessionStorage.setItem("hefesto.credentials", sessionStorage.getItem("hefesto.credentials") ?? one), first);
    await twin.goto(`${url}/dashboard/settings`);
    await twin.locator("#who").waitFor();
    await told;
    const renewed = page.context().waitForEvent("response", (answer) => answer.url().endsWith("/auth/refresh"));
    await page.clock.fastForward(29.5 * 60_000);
    await page.getByRole("link", { name: "API keys" }).click();
    expect((await renewed).status() === 200, "the token is not renewed");
    await page.locator("#keys-title").waitFor();
    const next = await kept();
    expect(next !== first, "the refresh token is used twice");
    await twin.waitForFunction((one) => sessionStorage.getItem("hefesto.credentials") === one, next);
    expect(!(await page.locator("dialog[open]").count()), "somebody had to log in again");
  },

  /** Who is thrown out in the middle of something logs in before it, and what he typed is done. */
  async expiry(browser) {
    const page = await inside(browser, "/dashboard/settings/keys?new=1");
    await page.getByLabel("Name").fill("typed before the end");
    const token = await elsewhere();
    await call("DELETE", "/auth/sessions", null, token);
    await page.getByRole("button", { name: "Make the key" }).click();
    const door = page.locator("dialog.door[open]");
    await door.waitFor();
    await barriers(page, "expiry");
    expect((await door.getByLabel("E-mail").inputValue()) === given.admin, "the address is not there any more");
    await door.getByLabel("Password", { exact: true }).fill(given.password);
    await page.keyboard.press("Enter");
    await door.waitFor({ state: "detached" }).catch(() => null);
    await page.locator(".secret", { hasText: "typed before the end" }).waitFor();
  },

  /** A second factor: enrolled from its QR code, asked for at the login, replaced by a backup code. */
  async factor(browser) {
    const page = await inside(browser, "/dashboard/settings", {}, given.person);
    await page.getByRole("button", { name: "Set it up" }).click();
    const secret = await page.locator("code.typed").innerText();
    expect(await page.locator("svg.qr path").getAttribute("d"), "there is no QR code");
    await page.getByLabel("Code of the app").fill("000000");
    await page.keyboard.press("Enter");
    await page.locator(".enrolment .wrong:not(:empty)").waitFor();
    await page.getByLabel("Code of the app").fill(code(secret));
    await page.keyboard.press("Enter");
    const codes = (await page.locator(".secret code").innerText()).split("\n");
    expect(codes.length === 10, `there are ${codes.length} backup codes`);
    await page.getByText("10 of 10 backup codes left").waitFor();
    for (const [name, shown] of [["Code of your authenticator app", code(secret, 1)], ["Backup code", codes[0]]]) {
      await page.getByRole("button", { name: "Leave" }).click();
      await logIn(page, given.person);
      if (name === "Backup code") {
        await page.getByRole("button", { name: "I lost the app" }).click();
      }
      await page.getByLabel(name).fill(shown);
      await page.keyboard.press("Enter");
      await page.locator("#factor").waitFor();
    }
    await page.getByText("9 of 10 backup codes left").waitFor();
    await page.getByRole("button", { name: "Remove the second factor" }).click();
    await page.getByLabel("Code of the app, or a backup code").fill(codes[1]);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Set it up" }).waitFor();
  },

  /** The password is changed, and a session elsewhere ends with it; another is ended by hand. */
  async account(browser) {
    const page = await inside(browser, "/dashboard/settings", {}, given.person);
    const token = await elsewhere(given.person);
    await page.reload();
    await page.getByRole("button", { name: /^End the session/ }).first().click();
    await page.getByRole("button", { name: "End", exact: true }).click();
    await page.locator(".toast", { hasText: "Ended" }).waitFor();
    expect((await call("GET", "/auth/me", null, token)) === null, "an ended session goes on");
    await page.getByLabel("Present password").fill("not the present one");
    await page.getByLabel("New password").fill(`${given.password} anew`);
    await page.getByRole("button", { name: "Change it" }).click();
    await page.locator(".form .wrong:not(:empty)").waitFor();
    expect(!(await page.locator("dialog[open]").count()), "a wrong password ends the session");
    await page.getByLabel("Present password").fill(given.password);
    await page.getByRole("button", { name: "Change it" }).click();
    await page.locator(".toast", { hasText: "password is changed" }).waitFor();
    await page.getByLabel("Present password").fill(`${given.password} anew`);
    await page.getByLabel("New password").fill(given.password);
    await page.getByRole("button", { name: "Change it" }).click();
    await page.waitForFunction(() => !document.querySelector("[name=new_password]").value);
  },

  /** A key: made, shown once, used, rotated, revoked. */
  async keys(browser) {
    const page = await inside(browser, "/dashboard/settings/keys");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Name").fill("nightly");
    await page.getByLabel("May do").selectOption({ label: "single scopes…" });
    await page.getByLabel("read:metrics").check();
    await page.getByLabel("all, also those to come").uncheck();
    await page.getByRole("checkbox", { name: "shop" }).check();
    await page.getByRole("button", { name: "Make the key" }).click();
    const shown = page.locator(".secret code");
    const key = await shown.innerText();
    const who = await call("GET", "/auth/me", null, key);
    expect(who?.scopes.join() === "read:metrics" && who.projects.join() === "shop", `the key is ${JSON.stringify(who)}`);
    const row = page.locator(".entries > li", { hasText: "nightly" }).first();
    await row.getByRole("button", { name: "Usage of nightly" }).click();
    await page.locator(".usage tbody", { hasText: "GET /api/v1/auth/me" }).waitFor();
    await row.getByRole("button", { name: "Rotate nightly" }).click();
    await row.getByRole("button", { name: "Give it a new secret" }).click();
    await page.waitForFunction((was) => document.querySelector(".secret code")?.textContent !== was, key);
    const next = await shown.innerText();
    expect((await call("GET", "/auth/me", null, next))?.name === "nightly", "the new secret does not count");
    await page.getByRole("button", { name: "I have kept it" }).click();
    expect(!(await page.content()).includes(next), "the secret is still there");
    await row.getByRole("button", { name: "Revoke nightly" }).click();
    await row.getByRole("button", { name: "Revoke", exact: true }).click();
    await row.waitFor({ state: "detached" });
    expect((await call("GET", "/auth/me", null, next)) === null, "a revoked key counts");
  },

  /** Users and projects: made, changed, switched off, deleted by who types what goes. */
  async run(browser) {
    const page = await inside(browser, "/dashboard/settings/users?new=1");
    await page.getByLabel("E-mail").fill("eve@example.org");
    await page.getByLabel("Role").selectOption("operator");
    await page.getByLabel("First password").fill(given.password);
    await page.getByRole("button", { name: "Make the account" }).click();
    const eve = page.locator(".entries > li", { hasText: "eve@example.org" });
    await eve.getByRole("button", { name: "Switch off" }).click();
    await eve.getByText("switched off").waitFor();
    expect((await call("POST", "/auth/login", { email: "eve@example.org", password: given.password })) === null, "who is off logs in");
    await eve.getByRole("button", { name: "Switch on" }).click();
    await eve.getByText("switched off").waitFor({ state: "detached" });
    expect(await elsewhere("eve@example.org"), "who is on again does not log in");
    await eve.getByRole("button", { name: "Edit" }).click();
    await eve.getByRole("button", { name: "Unlock" }).click();
    await eve.getByRole("button", { name: "Unlock", exact: true }).click();
    await page.locator(".toast", { hasText: "is heard from everywhere again" }).waitFor();
    await eve.getByLabel("Role").selectOption("viewer");
    await eve.getByRole("button", { name: "Save" }).click();
    await eve.getByText("viewer ·").waitFor();
    await page.getByRole("link", { name: "Projects", exact: true }).click();
    await page.getByRole("button", { name: "New project" }).click();
    await page.getByLabel("Slug").fill("passing");
    await page.getByLabel("Folder on the server").fill("/nowhere");
    await page.getByRole("button", { name: "Make the project" }).click();
    await page.locator(".form .wrong:not(:empty)").first().waitFor();
    await page.getByLabel("Folder on the server").fill("");
    await page.getByLabel(/^Services/).fill("one\ntwo");
    await page.getByRole("button", { name: "Add a mapping" }).click();
    await page.getByLabel("Where it runs").fill("/app/");
    await page.getByRole("button", { name: "Make the project" }).click();
    const row = page.locator(".entries > li", { hasText: "passing" });
    await row.getByText("services: one, two · 1 path mapping").waitFor();
    await row.getByRole("button", { name: "Edit passing" }).click();
    await row.getByRole("button", { name: "Delete" }).click();
    expect(await row.getByRole("button", { name: "Delete" }).isDisabled(), "a project goes without a word");
    await row.getByLabel("Type passing to confirm").fill("passing");
    await row.getByRole("button", { name: "Delete" }).click();
    await row.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByPlaceholder(/^Search/).fill("project.deleted");
    await page.waitForURL(/q=project.deleted/);
    await page.locator(".log code", { hasText: "session.started" }).first().waitFor({ state: "detached" });
    await page.locator(".log code", { hasText: "project.deleted" }).first().waitFor();
    await page.getByRole("button", { name: "Verify the chain" }).click();
    await page.getByText("entries are as they were written").waitFor();
    const file = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    const text = readFileSync(await (await file).path(), "utf8");
    expect(text.includes("project.deleted") && !text.includes("session.started"), `the export holds ${text.slice(0, 200)}`);
  },

  /** No check: makes the project and the people that the others look for. */
  async world() {
    const token = await elsewhere();
    await call("POST", "/projects", { slug: "shop" }, token);
    for (const [email, role] of [[given.person, "developer"], [given.viewer, "viewer"]]) {
      await call("POST", "/auth/users", { email, role, password: given.password }, token);
    }
  },

  /** What somebody may not do is explained by the scope that is missing. */
  async viewer(browser) {
    const page = await inside(browser, "/dashboard/settings/users", {}, given.viewer);
    await page.getByText("This asks for the scope admin").waitFor();
    await page.getByRole("link", { name: "Projects", exact: true }).click();
    await page.getByText("takes the scope manage:projects").waitFor();
    expect(!(await page.getByRole("button", { name: "New project" }).count()), "a viewer is offered what he may not do");
    await page.getByRole("link", { name: "System", exact: true }).click();
    await page.getByText("your credentials lack it").waitFor();
    await page.locator(".tiles").waitFor();
  },

  /** Who comes back from the provider is in, where he wanted to go, and stays in; nothing of it is in an address. */
  async provider(browser) {
    const page = await opened(browser, "/dashboard/settings?x=1", { elsewhere: true });
    await page.getByRole("link", { name: "Go in with Corp" }).click();
    await page.locator("#who", { hasText: given.somebody }).waitFor();
    expect(page.url() === `${url}/dashboard/settings?x=1`, `the address is ${page.url()}`);
    expect((await page.context().cookies()).every((one) => !one.name.includes("handover")), "what was handed over stays");
    await page.reload();
    await page.locator("#who", { hasText: given.somebody }).waitFor();
  },

  /** The service's own measures: sorted by any column, saved, in any period; new ones are seen without a reload. */
  async system(browser) {
    const page = await inside(browser, "/dashboard/system");
    await page.locator(".routes tbody tr").first().waitFor();
    await page.getByRole("button", { name: "p95", exact: true }).click();
    expect(page.url().includes("sort=-p95_ms"), `the address does not tell the order: ${page.url()}`);
    expect((await page.locator("th.p95_ms").getAttribute("aria-sort")) === "descending", "the order is not told");
    for (const [name, holds] of [["CSV of Latency", "time,p99,p95,p50"], ["SVG of Latency", "<svg"], ["CSV of the routes", "route,requests"]]) {
      const file = page.waitForEvent("download");
      await page.getByRole("button", { name }).click();
      expect(readFileSync(await (await file).path(), "utf8").startsWith(holds), `${name} is something else`);
    }
    await page.getByRole("button", { name: "1 d", exact: true }).click();
    expect(page.url().includes("minutes=1440"), "the address does not tell the period");
    await page.locator("#jobs + p, .jobs table").first().waitFor();
    await page.locator(".jobs tbody tr", { hasText: "upkeep" }).first().waitFor();
    await page.locator(".parts li", { hasText: "cache" }).waitFor();
    const told = { contentType: "text/event-stream", body: "event: anomaly_detected\ndata: {}\n\n" };
    await page.route("**/events/stream", (route) => route.fulfill(told));
    await page.reload();
    const again = (answer) => /anomalies\?days=\d+$/.test(answer.url());
    await page.waitForResponse(again);
    await page.waitForResponse(again, { timeout: 90_000 }); // by the clock it would be two minutes
  },

  /** Every page on a phone as on a wall: nothing sticks out, nothing stands in anybody's way. */
  async pages(browser) {
    const page = await inside(browser, "/dashboard/settings");
    for (const [path, shown] of Object.entries(PAGES)) {
      await page.goto(url + path);
      await page.locator(shown).first().waitFor().catch(() => wrong.push(`${path}: no ${shown}`));
      for (const { colorScheme, ...size } of VIEWS) {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(over <= 0, `${path}: ${over} px wider than ${size.width} px`);
        await barriers(page, `${path} (${colorScheme})`);
      }
    }
  },
};

await run(checks);
